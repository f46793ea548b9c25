#!/bin/sh
# Makes the files of this folder again with libjpeg-turbo's cjpeg (2.1.5 wrote those in git). Run it in this folder.
set -eu

c() { cjpeg -quality 75 "$@"; }

c -sample 1x1                        -outfile 444.jpg                    source.ppm
c -sample 2x1                        -outfile 422.jpg                    source.ppm
c -sample 2x2 -optimize              -outfile 420_optimised.jpg          source.ppm
c -sample 1x2                        -outfile 440.jpg                    source.ppm
c -sample 4x1                        -outfile 411.jpg                    source.ppm
c -sample 4x2                        -outfile 410.jpg                    source.ppm
c -sample 3x1                        -outfile 3x1.jpg                    source.ppm
c -sample 2x2,1x2,1x2                -outfile 2x2_1x2.jpg                source.ppm
c -sample 4x1,2x1,1x1                -outfile 4x1_2x1_1x1.jpg            source.ppm
c -sample 1x1,2x2,1x2                -outfile chroma_finer.jpg           source.ppm
c -grayscale -sample 2x2             -outfile gray_2x2.jpg               source.ppm
c -grayscale -sample 3x1 -restart 2B -outfile gray_3x1_restart.jpg       source.ppm
c -rgb                               -outfile rgb.jpg                    source.ppm
c -sample 2x2 -restart 3B            -outfile 420_restart.jpg            source.ppm
c -sample 2x1 -restart 1             -outfile 422_restart_row.jpg        source.ppm
c -sample 2x2 -scans scans_sequential.txt -outfile noninterleaved.jpg    source.ppm
c -sample 2x2 -restart 2B -scans scans_sequential.txt         -outfile noninterleaved_restart.jpg source.ppm
c -sample 2x2,2x1,1x2 -scans scans_partly_interleaved.txt     -outfile partly_interleaved.jpg     source.ppm
cjpeg -quality 3 -sample 2x2         -outfile extended_16bit_tables.jpg  source.ppm
c -sample 2x2 -progressive           -outfile progressive_420.jpg        source.ppm
c -sample 1x1 -progressive -restart 4B -outfile progressive_444_restart.jpg source.ppm
c -sample 3x1 -progressive           -outfile progressive_3x1.jpg        source.ppm
c -sample 2x2 -scans scans_progressive_odd.txt                -outfile progressive_odd.jpg        source.ppm
c -sample 1x2 -restart 3B -scans scans_progressive_odd.txt    -outfile progressive_odd_restart.jpg source.ppm
cjpeg -quality 100 -sample 1x1 -progressive -outfile progressive_q100.jpg source.ppm
c -grayscale -progressive            -outfile progressive_gray.jpg       source.ppm
c -arithmetic                        -outfile arithmetic.jpg             source.ppm
c -arithmetic -progressive           -outfile arithmetic_progressive.jpg source.ppm
