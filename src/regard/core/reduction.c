// The statistics of one block of scores, row after row, while a row is in the first cache.
// core/reducing.py says what they are, and does the same with torch where there is no compiler.

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HIDDEN -5e29f  // below this stands nothing that is seen
#define CHUNK 32       // columns whose largest is found first

// exp of a number ≤ 0, to 2 units in the last place: 2^n · p(r), |r| ≤ ln 2 / 2 (Cephes). No branch, so it is vectorised.
static inline float exponential(float x) {
    float n = __builtin_rintf(x * 1.44269504f), bounded = n < -126.0f ? -126.0f : n;
    float r = (x - bounded * 0.693359375f) + bounded * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t bits = ((int32_t)bounded + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return x < -87.0f ? 0.0f : p * power;
}

// The largest so far, falling; of equal ones the earlier stands first. No branch: whether one is larger is chance.
static inline void insert(float *best, int32_t *where, long top, float value, int32_t place) {
    for (long t = top - 1; t > 0; t--) {
        int above = best[t - 1] < value, here = best[t] < value;
        best[t] = above ? best[t - 1] : here ? value : best[t];
        where[t] = above ? where[t - 1] : here ? place : where[t];
    }
    where[0] = best[0] < value ? place : where[0];
    best[0] = best[0] < value ? value : best[0];
}

// The largest of each chunk of a row, and of the row.
static float chunked(const float *s, long low, long high, float *most) {
    float largest = -INFINITY;
    for (long start = low; start < high; start += CHUNK, most++) {
        long stop = start + CHUNK < high ? start + CHUNK : high;
        float found = -INFINITY;
#pragma omp simd reduction(max : found)
        for (long j = start; j < stop; j++) found = s[j] > found ? s[j] : found;
        *most = found;
        largest = found > largest ? found : largest;
    }
    return largest;
}

// The top columns. They lie in the chunks that have one of the `top` largest; no other number there is below those.
static void rank(const float *s, long low, long high, const float *most, float *best, int32_t *where, long top) {
    long chunks = (high - low + CHUNK - 1) / CHUNK;
    for (long t = 0; t < top; t++) best[t] = HIDDEN, where[t] = -1;
    for (long c = 0; c < chunks; c++)
        if (most[c] > best[top - 1]) insert(best, where, top, most[c], -1);
    float least = best[top - 1];
    for (long t = 0; t < top; t++) best[t] = HIDDEN, where[t] = -1;
    for (long c = 0; c < chunks; c++) {
        if (most[c] < least) continue;
        long start = low + c * CHUNK, stop = start + CHUNK < high ? start + CHUNK : high;
        uint64_t words[CHUNK / 8] = {0};
        uint8_t *above = (uint8_t *)words;
        for (long j = start; j < stop; j++) above[j - start] = s[j] >= least;
        for (long word = 0; word < CHUNK / 8; word++)
            for (uint64_t left = words[word]; left; left &= left - 1) {
                long j = start + 8 * word + __builtin_ctzll(left) / 8;
                if (s[j] > best[top - 1]) insert(best, where, top, s[j], (int32_t)j);
            }
    }
}

// One row: found = entropy, log-sum-exp, distance, itself, before, first, then the top weights; returns 1 / Σ exp.
// s becomes exp(s − largest). `own` is the column where the query stands; `most` has room for the chunks.
static float row(float *s, long low, long high, long own, long top, const float *sink, float *found, int32_t *where,
                 float *most) {
    if (high <= low) return 0.0f;
    float largest = chunked(s, low, high, most), sum = 0.0f, mixed = 0.0f, far = 0.0f;
    if (largest < HIDDEN) return 0.0f;
    rank(s, low, high, most, found + 6, where, top);
#pragma omp simd reduction(+ : sum, mixed, far)
    for (long j = low; j < high; j++) {
        float x = s[j] - largest, e = exponential(x);
        s[j] = e;
        sum += e;
        mixed += e * (x < -87.0f ? 0.0f : x);
        far += e * fabsf((float)(int32_t)(j - own));
    }
    float whole = sink ? sum + expf(*sink - largest) : sum, share = 1.0f / whole;
    found[0] = (logf(whole) * sum - mixed) * share;
    found[1] = largest + logf(whole);
    found[2] = far * share;
    found[3] = own >= low && own < high ? s[own] * share : 0.0f;
    found[4] = own > low && own <= high ? s[own - 1] * share : 0.0f;
    found[5] = low == 0 ? s[0] * share : 0.0f;
    for (long t = 0; t < top; t++) {
        found[6 + t] = where[t] < 0 ? 0.0f : s[where[t]] * share;
        where[t] = found[6 + t] > 0.0f ? where[t] : -1;
    }
    return share;
}

// All heads' bands, `units` of them, shared out to threads: torch's own, for others would run beside those, which spin
// after each product. scores (heads, rows, keys); spans (rows, 2), within these keys; found (heads, rows, 6 + top);
// where (heads, rows, top); sums and peak (heads, bands, keys), zero at first; 0 where there is no memory.
int reduce(long units, long rows, long keys, long high, long own, long top, const int32_t *spans, const float *sinks,
           float *scores, float *found, int32_t *where, float *sums, float *peak, long threads) {
    long bands = rows / high;
    int room = 1;
#pragma omp parallel num_threads(threads) reduction(&& : room)
    {
        float *most = malloc((keys / CHUNK + 1) * sizeof(float));
        room = most != 0;
#pragma omp for schedule(static)
        for (long unit = 0; unit < units; unit++) {
            float *sum = sums + unit * keys, *largest = peak + unit * keys;
            const float *sink = sinks ? sinks + unit / bands : 0;
            for (long r = unit % bands * high; most && r < (unit % bands + 1) * high; r++) {
                long place = unit / bands * rows + r, low = spans[2 * r], end = spans[2 * r + 1];
                float *s = scores + place * keys;
                float share = row(s, low, end, own + r, top, sink, found + place * (6 + top), where + place * top, most);
                if (share > 0.0f) {
#pragma omp simd
                    for (long j = low; j < end; j++) {
                        float w = s[j] * share;
                        sum[j] += w;
                        largest[j] = w > largest[j] ? w : largest[j];
                    }
                }
            }
        }
        free(most);
    }
    return room;
}
