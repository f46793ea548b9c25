/* libjpeg as a peer of `freqlearn bench`: all coefficients of a file, by jpeg_read_coefficients.

   Compiled at run time by freqlearn.pipelines.bench.coefficients, with the libjpeg that the machine has. */

#include <stdio.h>

#include <jpeglib.h>
#include <setjmp.h>

struct failure {
  struct jpeg_error_mgr base;
  jmp_buf back;
};

static void fail(j_common_ptr info) { longjmp(((struct failure *)info->err)->back, 1); }

static void be_silent(j_common_ptr info) { (void)info; }

/* Returns the number of blocks, or -1 where libjpeg refuses the file. */
long read_coefficients(const unsigned char *data, unsigned long size) {
  struct jpeg_decompress_struct info;
  struct failure failure;
  volatile long blocks = 0;
  info.err = jpeg_std_error(&failure.base);
  failure.base.error_exit = fail;
  failure.base.output_message = be_silent;
  if (setjmp(failure.back)) {
    jpeg_destroy_decompress(&info);
    return -1;
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, (unsigned char *)data, size);
  jpeg_read_header(&info, TRUE);
  jpeg_read_coefficients(&info);
  for (int i = 0; i < info.num_components; ++i)
    blocks += (long)info.comp_info[i].width_in_blocks * info.comp_info[i].height_in_blocks;
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  return blocks;
}

#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x

const char *library(void) {
#ifdef LIBJPEG_TURBO_VERSION
  return "libjpeg-turbo " TEXT(LIBJPEG_TURBO_VERSION);
#else
  return "libjpeg " TEXT(JPEG_LIB_VERSION);
#endif
}
