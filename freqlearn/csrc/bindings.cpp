#include <nanobind/nanobind.h>

NB_MODULE(_native, m) { m.doc() = "JPEG files to quantised DCT coefficients."; }
