// Samples to quantised coefficients by the transform of Arai, Agui and Nakajima in float32, operation by operation as
// libjpeg's jfdctflt.c: so that results are equal, not nearly so. Included by encode_kernels.inl.

#if FREQLEARN_SHUFFLES
#define FREQLEARN_TURN turn
#else
FREQLEARN_INLINE void turn_values(const float* from, std::size_t row_floats, float* to, std::size_t stride) {
  for (std::size_t i = 0; i < 8; ++i) {
    for (std::size_t k = 0; k < 8; ++k) to[stride * k + i] = from[row_floats * i + k];
  }
}
#define FREQLEARN_TURN turn_values
#endif

FREQLEARN_INLINE Part load_part(const float* from) {
  Part part;
  std::memcpy(&part, from, sizeof part);
  return part;
}

FREQLEARN_INLINE void store_part(const Part& part, float* to) { std::memcpy(to, &part, sizeof part); }

// The first N frequencies of eight samples, each times a factor of its own that quantisation takes out again; what
// only the others need is not computed.
template <int N>
FREQLEARN_INLINE void frequencies(const Part* x, Part* out) {
  const Part sum0 = x[0] + x[7], sum1 = x[1] + x[6], sum2 = x[2] + x[5], sum3 = x[3] + x[4];
  const Part even0 = sum0 + sum3, even1 = sum1 + sum2;
  out[0] = even0 + even1;
  if constexpr (N > 1) {
    const Part difference0 = x[0] - x[7], difference1 = x[1] - x[6], difference2 = x[2] - x[5],
               difference3 = x[3] - x[4];
    const Part odd0 = difference3 + difference2, odd1 = difference2 + difference1, odd2 = difference1 + difference0;
    const Part turned = (odd0 - odd2) * 0.382683433F;
    const Part z2 = odd0 * 0.541196100F + turned, z4 = odd2 * 1.306562965F + turned, z3 = odd1 * 0.707106781F;
    const Part z11 = difference0 + z3, z13 = difference0 - z3;
    out[1] = z11 + z4;
    if constexpr (N > 3) out[3] = z13 - z2;
    if constexpr (N > 5) out[5] = z13 + z2;
    if constexpr (N > 7) out[7] = z11 - z4;
  }
  if constexpr (N > 2) {
    const Part even2 = sum1 - sum2, even3 = sum0 - sum3, z1 = (even2 + even3) * 0.707106781F;
    out[2] = even3 + z1;
    if constexpr (N > 4) out[4] = even0 - even1;
    if constexpr (N > 6) out[6] = even3 - z1;
  }
}

// values[block][u][y], u < N, of up to kGroupBlocks blocks beside each other.
template <int N>
void horizontal_frequencies(const std::uint8_t* lines, std::size_t stride, std::size_t count,
                            float* __restrict values) {
  float centred[8][8 * kGroupBlocks], turned[8][8];
  for (std::size_t y = 0; y < 8; ++y) {
    const std::uint8_t* __restrict line = lines + stride * y;
    for (std::size_t x = 0; x < 8 * count; ++x) centred[y][x] = static_cast<float>(line[x] - 128);
  }
  for (std::size_t block = 0; block < count; ++block, values += 8 * N) {
    FREQLEARN_TURN(&centred[0][8 * block], 8 * kGroupBlocks, &turned[0][0], 8);
    for (int p = 0; p < kParts; ++p) {
      Part x[8], out[8];
      FREQLEARN_UNROLL
      for (int i = 0; i < 8; ++i) x[i] = load_part(&turned[i][kPart * p]);
      frequencies<N>(x, out);
      FREQLEARN_UNROLL
      for (int i = 0; i < N; ++i) store_part(out[i], values + 8 * i + kPart * p);
    }
  }
}

// 1.5 * 2^23: what is added to it is rounded to a whole number (ties to even), whose low bits are then the sum's.
constexpr float kRounding = 12582912.0F;

// rounded[v][at], v < N, of eight columns values[at][y].
template <int N>
FREQLEARN_INLINE void quantised_columns(const float* values, const ForwardPlan& plan, std::size_t at,
                                        float (*__restrict rounded)[8 * kGroupBlocks]) {
  float turned[8][8];
  FREQLEARN_TURN(values + 8 * at, 8, &turned[0][0], 8);
  for (int p = 0; p < kParts; ++p) {
    Part y[8], out[8];
    FREQLEARN_UNROLL
    for (int i = 0; i < 8; ++i) y[i] = load_part(&turned[i][kPart * p]);
    frequencies<N>(y, out);
    FREQLEARN_UNROLL
    for (int i = 0; i < N; ++i) {
      const std::size_t to = at + static_cast<std::size_t>(kPart * p);
      store_part(out[i] * load_part(&plan.factors[i][to]) + kRounding, &rounded[i][to]);
    }
  }
}

template <int N>
void vertical_frequencies(const float* values, const ForwardPlan& plan, std::size_t columns,
                          float (*__restrict rounded)[8 * kGroupBlocks]) {
  for (std::size_t at = 0; at < columns; at += 8) quantised_columns<N>(values, plan, at, rounded);
}

// rounded[v][block][u], u < N, to blocks.
template <int N>
void store_coefficients(const float (*__restrict rounded)[8 * kGroupBlocks], std::size_t rows, std::size_t count,
                        std::int16_t* __restrict blocks) {
  for (std::size_t block = 0; block < count; ++block) {
    for (std::size_t v = 0; v < rows; ++v) {
      std::uint32_t bits[N];
      std::memcpy(bits, &rounded[v][N * block], sizeof bits);
      for (int u = 0; u < N; ++u) {
        blocks[64 * block + 8 * v + static_cast<std::size_t>(u)] =
            static_cast<std::int16_t>(static_cast<std::uint16_t>(bits[u]));
      }
    }
  }
}

#define FREQLEARN_BY_COUNT(function) \
  {function<1>, function<2>, function<3>, function<4>, function<5>, function<6>, function<7>, function<8>}
constexpr decltype(&horizontal_frequencies<1>) kHorizontal[] = FREQLEARN_BY_COUNT(horizontal_frequencies);
constexpr decltype(&vertical_frequencies<1>) kVertical[] = FREQLEARN_BY_COUNT(vertical_frequencies);
constexpr decltype(&store_coefficients<1>) kStore[] = FREQLEARN_BY_COUNT(store_coefficients);

void transform(const ForwardPlan& plan, const std::uint8_t* lines, std::size_t stride, std::size_t count,
               std::int16_t* blocks) {
  // Columns are taken eight at a time: where a group has fewer blocks, some that are left of an earlier one.
  float values[64 * kGroupBlocks] = {}, rounded[8][8 * kGroupBlocks];
  for (std::size_t begin = 0; begin < count; begin += kGroupBlocks) {
    const std::size_t left = count - begin, some = left < kGroupBlocks ? left : kGroupBlocks;
    kHorizontal[plan.columns - 1](lines + 8 * begin, stride, some, values);
    kVertical[plan.rows - 1](values, plan, plan.columns * some, rounded);
    kStore[plan.columns - 1](rounded, plan.rows, some, blocks + 64 * begin);
  }
}
