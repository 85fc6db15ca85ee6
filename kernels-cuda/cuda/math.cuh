// The activations and their derivatives: the same polynomial and the same order of operations as
// the CPU's (kernels-simd, math.rs and formulas.rs), so the same bits in f32.
//
// min and max drop a NaN here; where that could hide one, the result is chosen by the input.
#pragma once

#include "portable.cuh"

namespace xielu_cuda {

constexpr float MAX_F32 = 3.402823466e38f;
// What a NaN result becomes.
constexpr uint32_t NAN_BITS = 0x7fc00000u;

// Of one layer. `sigmoid_*` are softplus' derivatives at the stored scalars.
struct Coefficients {
    float alpha_p;
    float alpha_n;
    float beta;
    float eps;
    double sigmoid_p;
    double sigmoid_n;
};

// Up to it f32 holds every integer.
constexpr float EXACT_LIMIT = 16777216.0f;

// The scalars, and what a thread's squares must sum to less than for `xielu_ideal`.
struct Layer : Coefficients {
    float ideal_below;
};

FN bool ordinary(float scalar) { return 0.0f <= scalar && scalar < 1e15f; }

// Scalars are passed by value, or read from the device where they were computed there.
FN Layer choose(const Coefficients* device, const Coefficients& value) {
    const Coefficients c = device ? *device : value;
    const bool ideal =
        c.eps == 0.0f && ordinary(c.alpha_p) && ordinary(c.alpha_n) && ordinary(c.beta);
    return Layer{c, ideal ? EXACT_LIMIT * EXACT_LIMIT : 0.0f};
}

FN float canonical(float y) { return is_nan(y) ? float_of(NAN_BITS) : y; }

// 1.5 * 2^23 + 127: adding it rounds to an integer and leaves that integer, with the bias of f32's
// exponent, in the low bits.
constexpr float MAGIC = 12583039.0f;
constexpr float LOG2_E = 1.44269504f;
constexpr float LN2 = 0.693147181f;

// 2^k from MAGIC + k, -126 <= k <= 127.
FN float exp2_of_magic(float t) { return float_of(bits_of(t) << 23); }

// e^x = s * (1 + r + tail), x = k*ln2 + r, r in [-ln2, 0], for x in [-87, 0];
// tail = e^r - 1 - r = r^2/2 + r^3*q(r).
struct Reduced {
    float s, r, square, q;
};

FN Reduced reduce(float x) {
    const float magic_k = fma(add(x, 0.5f * LN2), LOG2_E, MAGIC);
    const float r = fma(sub(magic_k, MAGIC), -LN2, x);
    float q = fma(0.00015379536f, r, 0.0013560993f);
    q = fma(q, r, 0.0083221f);
    q = fma(q, r, 0.041664965f);
    q = fma(q, r, 0.16666658f);
    return Reduced{exp2_of_magic(magic_k), r, mul(r, r), q};
}

// scale*tail + rest.
FN float add_tail(const Reduced& e, float scale, float rest) {
    const float square = mul(scale, e.square);
    return fma(mul(square, e.r), e.q, fma(square, 0.5f, rest));
}

// e^-v for v in [-0.3466, 0.3466].
FN float exp_of_minus(float v) {
    float p = fma(0.0013821169f, v, -0.008368665f);
    p = fma(p, v, 0.04166826f);
    p = fma(p, v, -0.16666521f);
    p = fma(p, v, 0.49999994f);
    p = fma(p, v, -1.0f);
    return fma(p, v, 1.0f);
}

// e^-x = 2^k * e^-v for x in [-120, 120].
struct Negated {
    float magic_k, k, v;
};

FN Negated negated(float x) {
    const float magic_k = fma(x, -LOG2_E, MAGIC);
    const float k = sub(magic_k, MAGIC);
    return Negated{magic_k, k, fma(k, -1.9046543e-9f, fma(k, LN2, x))};
}

// e^x = mantissa * scale_a * scale_b for x in [-120, 0]: e^x may be subnormal when they are not.
struct Exp {
    float mantissa, scale_a, scale_b;
};

FN Exp exp_of(float x) {
    const Negated e = negated(x);
    const float magic_b = fma(e.k, -0.5f, MAGIC);
    const float magic_a = sub(MAGIC, add(e.k, sub(magic_b, MAGIC)));
    return Exp{exp_of_minus(-e.v), exp2_of_magic(magic_a), exp2_of_magic(magic_b)};
}

// g = e^x - 1 - x as a sum of two terms.
struct Negative {
    float high, low;
};

// For -EXACT_LIMIT <= x <= 0; see the CPU's `negative`.
FN Negative near_negative(float x) {
    const Reduced e = reduce(max(-87.0f, x));
    const float r_1 = add(1.0f, e.r);
    const float minus_x_1 = sub(-1.0f, x);
    const float high = fma(e.s, r_1, minus_x_1);
    const float error = fma(e.s, r_1, sub(minus_x_1, high));
    return Negative{high, add_tail(e, e.s, error)};
}

// For x <= 0. Far out f32 has no room for the 1, and at -inf the near form is NaN.
FN Negative negative(float x) {
    const Negative near = near_negative(x);
    const bool far = x < -EXACT_LIMIT;
    return Negative{far ? -x : near.high, far ? -1.0f : near.low};
}

// What x has above eps, where the exponential is constant.
FN float above_eps(float x, float eps) { return max(sub(x, min(eps, x)), 0.0f); }

FN float beta_x(const Coefficients& c, float x) { return mul(c.beta, max(-MAX_F32, x)); }

// For every x and all coefficients.
FN float xielu(const Coefficients& c, float x) {
    // x*(alpha_p*x) + beta*x, the rounding error of alpha_p*x added back.
    const float finite = min(MAX_F32, x);
    const float product = mul(c.alpha_p, finite);
    const float error = fma(c.alpha_p, finite, -product);
    const float positive =
        fma(finite, product, max(fma(finite, error, beta_x(c, x)), -MAX_F32));
    const float clamped = min(c.eps, x);
    const Negative n = negative(clamped);
    const float below = fma(c.alpha_n, n.high, fma(c.alpha_n, n.low, beta_x(c, clamped)));
    const float other = fma(above_eps(x, c.eps), sub(c.beta, c.alpha_n), below);
    const float y = 0.0f < x ? positive : other;
    return is_nan(x) ? float_of(NAN_BITS) : y;
}

// Whether all of a thread's x fit `xielu_ideal` and `xielu_slopes_ideal`; a NaN does not.
template <unsigned COUNT>
FN bool is_ideal(const Layer& layer, const float* x) {
    float squares = 0.0f;
    UNROLL for (unsigned j = 0; j < COUNT; ++j) squares = fma(x[j], x[j], squares);
    return squares < layer.ideal_below;
}

// The same bits as `xielu` by fewer operations: the sum of both signs' values, one of which is 0.
FN float xielu_ideal(const Coefficients& c, float x) {
    const float below = min(0.0f, x);
    const float above = sub(x, below);
    const Negative n = near_negative(below);
    const float product = mul(c.alpha_p, above);
    const float error = fma(c.alpha_p, above, -product);
    const float y = fma(c.alpha_n, n.high, fma(c.alpha_n, n.low, mul(c.beta, x)));
    return fma(above, product, fma(above, error, y));
}

FN float xiprelu(const Coefficients& c, float x) {
    const float alpha = 0.0f < x ? c.alpha_p : c.alpha_n;
    const float finite = max(-MAX_F32, min(MAX_F32, x));
    return canonical(mul(x, fma(alpha, finite, c.beta)));
}

FN float relu2(float x) {
    const float positive = max(0.0f, x);
    return is_nan(x) ? float_of(NAN_BITS) : mul(positive, positive);
}

// 1 + e^-x for x >= -87, e^-x = power*mantissa. Beyond 87 nothing comes of it but 1.
struct Denominator {
    float power, mantissa, value;
};

FN Denominator sigmoid_denominator(float x) {
    const Negated e = negated(min(87.0f, x));
    const float power = exp2_of_magic(e.magic_k), mantissa = exp_of_minus(e.v);
    return Denominator{power, mantissa, fma(power, mantissa, 1.0f)};
}

// Where 1 is nothing beside e^-x: x*e^x, and where x*e^x rounds to 0.
constexpr float SILU_FAR = -87.0f;
constexpr float SILU_LOWEST = -120.0f;

FN float far_silu(float x, const Exp& e) {
    return mul(mul(mul(x, e.mantissa), e.scale_a), e.scale_b);
}

// x*sigmoid(x).
FN float silu(float x) {
    if (x < SILU_FAR) {
        const float near = max(SILU_LOWEST, x);
        return far_silu(near, exp_of(near));
    }
    return div(x, sigmoid_denominator(x).value);
}

struct Silu {
    float value, slope;
};

// silu and its derivative s + x*s*(1 - s), s = sigmoid(x).
FN Silu silu_and_slope(float x) {
    if (x < SILU_FAR) {
        const float near = max(SILU_LOWEST, x);
        const Exp e = exp_of(near);
        const float s = mul(mul(e.mantissa, e.scale_a), e.scale_b);
        return Silu{far_silu(near, e), fma(near, s, s)};
    }
    const Denominator d = sigmoid_denominator(x);
    const float s = div(1.0f, d.value);
    // 1 - s, without cancellation.
    const float rest = x < 0.0f ? sub(1.0f, s) : mul(mul(d.power, d.mantissa), s);
    // An infinity must not meet a rest of 0.
    const float slope = fma(mul(min(87.0f, x), s), rest, s);
    return Silu{div(x, d.value), is_nan(x) ? x : slope};
}

FN float swiglu(float gate, float up) { return canonical(mul(silu(gate), up)); }

// f'(x), and the derivatives with respect to the effective alphas.
struct Slopes {
    float dx, alpha_p, alpha_n;
};

// 2*alpha_p*x + beta, or alpha_n*(e^x - 1) + beta; where x is above eps, e^eps is a constant.
FN Slopes xielu_slopes(const Coefficients& c, float x) {
    const float clamped = min(c.eps, x);
    const Negative n = negative(clamped);
    const bool positive = 0.0f < x;
    const bool straight = c.eps < x || x < -EXACT_LIMIT;
    const float expm1 = straight ? -1.0f : add(add(n.high, clamped), n.low);
    Slopes out;
    out.dx = fma(positive ? mul(2.0f, c.alpha_p) : c.alpha_n, positive ? x : expm1, c.beta);
    out.alpha_p = positive ? mul(x, x) : 0.0f;
    out.alpha_n = positive ? 0.0f : add(n.high, sub(n.low, above_eps(x, c.eps)));
    if (is_nan(x)) {
        out.dx = x;
        out.alpha_n = x;
    }
    return out;
}

// The same bits by fewer operations, as `xielu_ideal`.
FN Slopes xielu_slopes_ideal(const Coefficients& c, float x) {
    const float below = min(0.0f, x);
    const float above = sub(x, below);
    const Negative n = near_negative(below);
    const float expm1 = add(add(n.high, below), n.low);
    const float dx = fma(mul(2.0f, c.alpha_p), above, fma(c.alpha_n, expm1, c.beta));
    return Slopes{dx, mul(above, above), add(n.high, n.low)};
}

FN Slopes xiprelu_slopes(const Coefficients& c, float x) {
    const bool positive = 0.0f < x;
    const float square = mul(x, x);
    const float twice = mul(2.0f, positive ? c.alpha_p : c.alpha_n);
    return Slopes{fma(twice, x, c.beta), positive ? square : 0.0f, positive ? 0.0f : square};
}

FN float relu2_slope(float x) { return is_nan(x) ? x : mul(2.0f, max(0.0f, x)); }

}  // namespace xielu_cuda
