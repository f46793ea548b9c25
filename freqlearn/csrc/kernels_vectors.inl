// Registers of floats, by the compiler's own vector types where it has them. Included by kernels.inl.
// FREQLEARN_PLAIN_LOOPS: as for compilers that have none, so that others can test it.
#if defined(__GNUC__) && !defined(FREQLEARN_PLAIN_LOOPS)
#define FREQLEARN_INLINE inline __attribute__((always_inline))
#define FREQLEARN_UNROLL _Pragma("GCC unroll 16")
template <class T, int Width>
struct VectorOf {
  typedef T Type __attribute__((vector_size(sizeof(T) * Width)));
};
#else
// Compilers without vector types: the same arithmetic, left to their optimiser.
#define FREQLEARN_INLINE inline
#define FREQLEARN_UNROLL
template <class T, int Width>
struct VectorOf {
  struct Type {
    T values[Width];
    Type& operator+=(const Type& other) {
      for (int i = 0; i < Width; ++i) values[i] += other.values[i];
      return *this;
    }
    Type operator*(T factor) const {
      Type product;
      for (int i = 0; i < Width; ++i) product.values[i] = values[i] * factor;
      return product;
    }
    Type operator*(const Type& other) const {
      Type product;
      for (int i = 0; i < Width; ++i) product.values[i] = values[i] * other.values[i];
      return product;
    }
    Type operator+(const Type& other) const {
      Type sum;
      for (int i = 0; i < Width; ++i) sum.values[i] = values[i] + other.values[i];
      return sum;
    }
    Type operator-(const Type& other) const {
      Type difference;
      for (int i = 0; i < Width; ++i) difference.values[i] = values[i] - other.values[i];
      return difference;
    }
    Type operator+(T other) const {
      Type sum;
      for (int i = 0; i < Width; ++i) sum.values[i] = values[i] + other;
      return sum;
    }
  };
};
#endif

#if defined(__GNUC__) && !defined(FREQLEARN_PLAIN_LOOPS) && (defined(__clang__) || __GNUC__ >= 12)
#define FREQLEARN_SHUFFLES 1
#else
#define FREQLEARN_SHUFFLES 0
#endif

constexpr int kWidth = FREQLEARN_WIDTH;
using Vector = VectorOf<float, kWidth>::Type;

// The eight v of one horizontal frequency, in one register or two.
constexpr int kPart = kWidth < 8 ? kWidth : 8, kParts = 8 / kPart;
using Part = VectorOf<float, kPart>::Type;
