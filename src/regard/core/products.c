// Products of a few rows x with a large matrix W: writing a token means reading every weight once, so each weight is
// read once and serves all rows. core/products.py says what is computed; torch does the same where there is no compiler.
// What a row gets does not depend on how many rows there are: each sum is taken in one order.

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 16
#define BLOCK 1024  // outputs whose sums stay in the first cache while the inputs pass
#define AHEAD 2     // inputs taken at once

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef float loose __attribute__((vector_size(4 * LANES), aligned(4)));

// `width` outputs of each row; w (in, out) is Wᵀ. y holds what the sums begin with.
static inline __attribute__((always_inline)) void block(const int rows, long in, long out, long width, const float *x,
                                                        const float *w, float *y) {
    long k = 0, whole = width / LANES * LANES;
    for (; k + AHEAD <= in; k += AHEAD) {
        floats factor[8][AHEAD];
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < AHEAD; j++) factor[r][j] = x[r * in + k + j] - (floats){0};
        const float *from = w + k * out;
        for (long o = 0; o < whole; o += LANES) {
            floats weight[AHEAD];
            for (int j = 0; j < AHEAD; j++) {
                weight[j] = *(const loose *)(from + j * out + o);
                __builtin_prefetch(from + (AHEAD + j) * out + o);
            }
            for (int r = 0; r < rows; r++) {
                floats sum = *(loose *)(y + r * out + o);
                for (int j = 0; j < AHEAD; j++) sum += factor[r][j] * weight[j];
                *(loose *)(y + r * out + o) = sum;
            }
        }
        for (long o = whole; o < width; o++)
            for (int r = 0; r < rows; r++)
                for (int j = 0; j < AHEAD; j++) y[r * out + o] += x[r * in + k + j] * from[j * out + o];
    }
    for (; k < in; k++)
        for (int r = 0; r < rows; r++)
            for (long o = 0; o < width; o++) y[r * out + o] += x[r * in + k] * w[k * out + o];
}

#define OF(n) case n: block(n, in, out, width, x, w + start, y + start); break;

// y (rows, out) = x (rows, in) · w (in, out) + bias (out); at most 8 rows.
void multiply(long rows, long in, long out, const float *x, const float *w, const float *bias, float *y, long threads) {
    long share = ((out + threads - 1) / threads + LANES - 1) / LANES * LANES, size = share < BLOCK ? share : BLOCK;
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
    for (long start = 0; start < out; start += size) {
        long width = out - start < size ? out - start : size;
        for (long r = 0; r < rows; r++)
            for (long o = start; o < start + width; o++) y[r * out + o] = bias ? bias[o] : 0.0f;
        switch (rows) { OF(1) OF(2) OF(3) OF(4) OF(5) OF(6) OF(7) OF(8) }
    }
}

// A row as whole numbers from −127 to 127, and 128 more so that all are positive; returns its scale.
static float quantise(const float *x, long in, uint8_t *whole) {
    float largest = 1e-30f;
#pragma omp simd reduction(max : largest)
    for (long k = 0; k < in; k++) largest = fabsf(x[k]) > largest ? fabsf(x[k]) : largest;
    float scale = largest / 127.0f;
#pragma omp simd
    for (long k = 0; k < in; k++) whole[k] = (uint8_t)((int32_t)__builtin_rintf(x[k] / scale) + 128);
    return scale;
}

// y (rows, out) = x · (w · scale)ᵀ + bias, x rounded to whole numbers, w (out, in) and scale (out); `over` is 128 · Σ w of
// each output. 0 where there is no memory.
int multiply_whole(long rows, long in, long out, const float *x, const int8_t *w, const float *scale, const int32_t *over,
                   const float *bias, float *y, long threads) {
    uint8_t *whole = malloc(rows * in);
    if (!whole) return 0;
    float steps[8];
    for (long r = 0; r < rows; r++) steps[r] = quantise(x + r * in, in, whole + r * in);
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
    for (long o = 0; o < out; o++) {
        const int8_t *row = w + o * in;
        for (long r = 0; r < rows; r++) {
            const uint8_t *factor = whole + r * in;
            int32_t sum = 0;
            for (long k = 0; k < in; k++) sum += factor[k] * row[k];
            y[r * out + o] = (float)(sum - over[o]) * (steps[r] * scale[o]) + (bias ? bias[o] : 0.0f);
        }
    }
    free(whole);
    return 1;
}
