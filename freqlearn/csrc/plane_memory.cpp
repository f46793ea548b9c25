#include "plane_memory.hpp"

#include <array>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

namespace freqlearn {
namespace {

constexpr std::size_t kGranularity = 64 << 10, kSmallestKept = 64 << 10, kLargestKept = 16 << 20;
constexpr std::size_t kKeptBytes = 64 << 20, kKeptPieces = 32;
// A cache line, so that no block lies in three.
constexpr std::align_val_t kAlignment{64};

// A sanitizer sees what is done to memory that nobody owns only if it is freed.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FREQLEARN_ADDRESS_SANITIZER
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define FREQLEARN_ADDRESS_SANITIZER
#endif
#if defined(FREQLEARN_ADDRESS_SANITIZER)
constexpr bool kReuse = false;
#else
constexpr bool kReuse = true;
#endif

struct Piece {
  void* memory = nullptr;
  std::size_t bytes = 0;
};

// Never waited for: a fork may have come while another thread held the lock, and then nobody gives it back.
class FreeList {
 public:
  // The smallest piece of at least `bytes` that is not far too large; empty if there is none at hand.
  Piece take(std::size_t bytes) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return {};
    Piece* best = nullptr;
    for (std::size_t i = 0; i < count_; ++i) {
      Piece& piece = pieces_[i];
      if (piece.bytes < bytes || piece.bytes > 2 * bytes) continue;
      if (best == nullptr || piece.bytes <= best->bytes) best = &piece;
    }
    if (best == nullptr) return {};
    bytes_ -= best->bytes;
    const Piece piece = *best;
    *best = pieces_[--count_];
    return piece;
  }

  // False if it is not taken.
  bool give(const Piece& piece) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return false;
    if (count_ == kKeptPieces || bytes_ + piece.bytes > kKeptBytes) return false;
    pieces_[count_++] = piece;
    bytes_ += piece.bytes;
    return true;
  }

 private:
  std::mutex mutex_;
  std::array<Piece, kKeptPieces> pieces_;
  std::size_t count_ = 0, bytes_ = 0;
};

// Never destroyed: arrays may outlive everything else of a program. And not made at first use: see cpu.cpp.
union Undestroyed {
  FreeList free_list;
  Undestroyed() : free_list() {}
  ~Undestroyed() {}
};
Undestroyed kept;

struct Reusable {
  std::size_t bytes;
  void operator()(Coefficient* p) const noexcept {
    if (!kept.free_list.give({p, bytes})) ::operator delete(p, kAlignment);
  }
};

struct Free {
  void operator()(Coefficient* p) const noexcept { std::free(p); }
};

}  // namespace

std::shared_ptr<Coefficient[]> plane_memory(std::size_t blocks, Contents contents) {
  const std::size_t needed = blocks * 64 * sizeof(Coefficient);
  const std::size_t bytes = (needed + kGranularity - 1) / kGranularity * kGranularity;
  if (!kReuse || needed < kSmallestKept || bytes > kLargestKept) {
    void* memory = contents == Contents::zeros ? std::calloc(blocks, 64 * sizeof(Coefficient)) : std::malloc(needed);
    if (memory == nullptr) throw std::bad_alloc();
    return {static_cast<Coefficient*>(memory), Free{}};
  }
  Piece piece = kept.free_list.take(bytes);
  if (piece.memory == nullptr) piece = {::operator new(bytes, kAlignment), bytes};
  if (contents == Contents::zeros) std::memset(piece.memory, 0, needed);
  return {static_cast<Coefficient*>(piece.memory), Reusable{piece.bytes}};
}

}  // namespace freqlearn
