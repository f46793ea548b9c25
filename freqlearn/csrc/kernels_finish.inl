// Values to the tensor: standardised, rounded, in the caller's layout. Included by kernels.inl.
FREQLEARN_INLINE std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

FREQLEARN_INLINE float float_of(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// To the nearest, ties to even.
FREQLEARN_INLINE std::uint16_t bfloat16_of(float value) {
  const std::uint32_t bits = bits_of(value);
  const std::uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
  const bool nan = (bits & 0x7FFFFFFF) > 0x7F800000;
  return static_cast<std::uint16_t>(nan ? 0x7FC0 : rounded);
}

FREQLEARN_INLINE std::uint16_t float16_of(float value) {
  const std::uint32_t bits = bits_of(value), size = bits & 0x7FFFFFFF;
  // From 2^-14 on: the exponent's bias goes from 127 to 15, the last 13 bits by rounding.
  const std::uint32_t rounded = (size - (112U << 23) + 0xFFF + (size >> 13 & 1)) >> 13;
  // Below: multiples of 2^-24, which are the last places of numbers from 0.5 to 1.
  const std::uint32_t tiny = bits_of(float_of(size) + 0.5F) - 0x3F000000U;
  std::uint32_t result = size < 0x38800000 ? tiny : rounded;
  result = size >= 0x477FF000 ? 0x7C00 : result;  // rounds to 2^16 or more
  result = size > 0x7F800000 ? 0x7E00 : result;
  return static_cast<std::uint16_t>(result | (bits >> 16 & 0x8000));
}

struct AsFloat32 {
  using Type = float;
  static FREQLEARN_INLINE float of(float value) { return value; }
};
struct AsFloat16 {
  using Type = std::uint16_t;
  static FREQLEARN_INLINE std::uint16_t of(float value) { return float16_of(value); }
};
struct AsBfloat16 {
  using Type = std::uint16_t;
  static FREQLEARN_INLINE std::uint16_t of(float value) { return bfloat16_of(value); }
};

template <class As>
void finish_as(const FinishedRow& row) {
  const float* __restrict values = row.values;
  const float* __restrict coverage = row.coverage;
  auto* __restrict out = static_cast<typename As::Type*>(row.data);
  const float scale = row.scale, bias = row.bias, coverage_scale = row.coverage_scale;
  const std::size_t count = row.count;
  const std::ptrdiff_t stride = row.stride;
  if (coverage != nullptr) {
    for (std::size_t i = 0; i < count; ++i) {
      *out = As::of(values[i] * scale + coverage[i] * coverage_scale + bias);
      out += stride;
    }
  } else if (stride == 1) {
    for (std::size_t i = 0; i < count; ++i) out[i] = As::of(values[i] * scale + bias);
  } else {
    for (std::size_t i = 0; i < count; ++i, out += stride) *out = As::of(values[i] * scale + bias);
  }
}

void finish(const FinishedRow& row) {
  switch (row.type) {
    case DataType::float32: return finish_as<AsFloat32>(row);
    case DataType::float16: return finish_as<AsFloat16>(row);
    case DataType::bfloat16: return finish_as<AsBfloat16>(row);
  }
}
