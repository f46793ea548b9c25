"""Makes the files of this folder that need EXIF, Adobe or multi-picture segments. Run it in this folder."""

from PIL import Image

source = Image.open("source.ppm").crop((0, 0, 24, 16))
ORIENTATION, MAKER, DATE = 0x0112, 0x010F, 0x0132

for name, endian, orientation in [("exif_intel.jpg", "<", 6), ("exif_motorola.jpg", ">", 8)]:
    tags = Image.Exif()
    tags.endian = endian
    tags[MAKER], tags[ORIENTATION], tags[DATE] = "freqlearn", orientation, "2024:01:01 00:00:00"
    source.save(name, quality=75, exif=tags, comment=b"a comment", icc_profile=bytes(range(64)))

source.convert("CMYK").save("cmyk_adobe.jpg", quality=75)
source.save("multi_picture.mpo", "MPO", quality=75, save_all=True, append_images=[source.rotate(180)])
