"""Reading tar files to their end, or not at all."""

import lzma
import re
import tarfile
import zlib

BROKEN = (tarfile.TarError, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError)
"""What a damaged tar file raises, compressed or not."""

META = re.compile(r"__[^/]*__($|/)")
"""Names of members that belong to no sample, as in webdataset's reader."""


class StrictInfo(tarfile.TarInfo):
    """A header that is damaged, cut off or missing is an error, where tarfile takes it for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> "StrictInfo":
        """The next header.

        Raises:
            tarfile.EOFHeaderError: At the end mark, a block of zeros.
            tarfile.ReadError: If there is neither a header nor an end mark, or it says what cannot be.
        """
        try:
            info = super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(
                f"expected a tar file's header or end mark at byte {tar.offset}, got none ({error}): the file is cut "
                "off or damaged; write it anew"
            ) from error
        except (MemoryError, OverflowError) as error:  # of a name or an extended header, which is read at once
            raise tarfile.ReadError(f"the header at byte {tar.offset} claims more than there can be") from error
        except RecursionError:  # tarfile reads a member's extended headers one within the other
            raise tarfile.ReadError(
                f"expected a member at byte {tar.offset}, got extended headers alone, hundreds of them: the file is "
                "damaged; write it anew"
            ) from None
        if info.size < 0:  # tarfile would go backwards, and on for ever
            raise tarfile.ReadError(f"member {info.name}: expected a size of at least 0, got {info.size}")
        return info
