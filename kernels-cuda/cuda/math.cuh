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

// A scalar is passed by value, or read from the device where it was computed there.
FN Coefficients choose(const Coefficients* device, const Coefficients& value) {
    return device ? *device : value;
}

FN float canonical(float y) { return is_nan(y) ? float_of(NAN_BITS) : y; }

// 2^k from 1.5 * 2^23 + k.
FN float exp2_of_magic(float t) { return float_of((bits_of(t) << 23) + 0x3f800000u); }

constexpr float MAGIC = 12582912.0f;

// x = k*ln2 + r, r in [-0.6499, 0.0434], for x in [-120, 0.04]; tail = e^r - 1 - r.
struct Reduced {
    float k, magic_k, r, tail;
};

// q(r) = (e^r - 1 - r) / r^2: domain [-0.6499, 0.0434], |q - exact| / exact < 2^-28.3.
FN float tail_of(float r) {
    const float square = mul(r, r);
    float q = fma(0.0001598619f, r, 0.0013657978f);
    q = fma(q, r, 0.008327512f);
    q = fma(q, r, 0.041666184f);
    q = fma(q, r, 0.16666667f);
    return fma(mul(square, r), q, mul(square, 0.5f));
}

FN Reduced reduce(float x) {
    Reduced out;
    // 0.4375 more than halfway: k stays 0 down to -0.65, where nothing cancels any more.
    out.magic_k = add(fma(x, 1.44269504f, 0.4375f), MAGIC);
    out.k = sub(out.magic_k, MAGIC);
    const float r = fma(out.k, -0.69314575f, x);
    out.r = fma(out.k, -1.4286068e-6f, r);
    out.tail = tail_of(out.r);
    return out;
}

// e^x = mantissa * scale_a * scale_b for x in [-120, 0].
struct Exp {
    float mantissa, scale_a, scale_b;
};

FN Exp exp_of(float x) {
    const Reduced e = reduce(x);
    const float magic_b = fma(e.k, 0.5f, MAGIC);
    const float magic_a = add(sub(e.k, sub(magic_b, MAGIC)), MAGIC);
    return Exp{add(add(e.r, e.tail), 1.0f), exp2_of_magic(magic_a), exp2_of_magic(magic_b)};
}

// e^u - 1 - x with u = min(x, eps), as a sum of two terms (see the CPU's `negative`), and e^u - 1.
struct Negative {
    float high, low, expm1;
};

FN Negative negative(float x, float eps) {
    const Reduced e = reduce(max(-87.0f, min(eps, x)));
    const float s = exp2_of_magic(e.magic_k);
    const float s_1 = sub(s, 1.0f);
    const float first = sub(s_1, x);
    const float first_error = sub(s_1, add(first, x));
    Negative out;
    out.high = fma(s, e.r, first);
    const float error = fma(s, e.r, add(sub(first, out.high), first_error));
    out.low = fma(s, e.tail, max(error, -2.0f));
    out.expm1 = fma(s, add(e.r, e.tail), s_1);
    return out;
}

FN float xielu(const Coefficients& c, float x) {
    const float beta_x = mul(c.beta, max(-MAX_F32, x));
    // x*(alpha_p*x) + beta*x, the rounding error of alpha_p*x added back.
    const float finite = min(MAX_F32, x);
    const float product = mul(c.alpha_p, finite);
    const float error = fma(c.alpha_p, finite, -product);
    const float positive = fma(finite, product, max(fma(finite, error, beta_x), -MAX_F32));
    const Negative n = negative(x, c.eps);
    const float other = fma(c.alpha_n, n.high, fma(c.alpha_n, n.low, beta_x));
    const float y = 0.0f < x ? positive : other;
    return is_nan(x) ? float_of(NAN_BITS) : y;
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

FN float silu(float x) {
    const float u = max(-120.0f, neg_abs(x));
    const Exp e = exp_of(u);
    const float scaled = mul(e.mantissa, e.scale_a);
    const float denominator = fma(scaled, e.scale_b, 1.0f);
    const bool negative = x < 0.0f;
    const float numerator = negative ? mul(u, scaled) : x;
    return mul(div(numerator, denominator), negative ? e.scale_b : 1.0f);
}

FN float swiglu(float gate, float up) { return canonical(mul(silu(gate), up)); }

// f'(x), and the derivatives with respect to the effective alphas.
struct Slopes {
    float dx, alpha_p, alpha_n;
};

// 2*alpha_p*x + beta, or alpha_n*(e^x - 1) + beta; where x is above eps, e^eps is a constant.
FN Slopes xielu_slopes(const Coefficients& c, float x) {
    const Negative n = negative(x, c.eps);
    const bool positive = 0.0f < x;
    const float expm1 = c.eps < x ? -1.0f : n.expm1;
    Slopes out;
    out.dx = fma(positive ? mul(2.0f, c.alpha_p) : c.alpha_n, positive ? x : expm1, c.beta);
    out.alpha_p = positive ? mul(x, x) : 0.0f;
    out.alpha_n = positive ? 0.0f : add(n.high, n.low);
    if (is_nan(x)) {
        out.dx = x;
        out.alpha_n = x;
    }
    return out;
}

FN Slopes xiprelu_slopes(const Coefficients& c, float x) {
    const bool positive = 0.0f < x;
    const float square = mul(x, x);
    const float twice = mul(2.0f, positive ? c.alpha_p : c.alpha_n);
    return Slopes{fma(twice, x, c.beta), positive ? square : 0.0f, positive ? 0.0f : square};
}

FN float relu2_slope(float x) { return is_nan(x) ? x : mul(2.0f, max(0.0f, x)); }

// s + x*s*(1 - s), s = sigmoid(x). Beyond 120 the second term is 0 and x must not be infinite.
FN float silu_slope(float x) {
    const Exp e = exp_of(max(-120.0f, neg_abs(x)));
    const float exponential = mul(mul(e.mantissa, e.scale_a), e.scale_b);
    const float denominator = add(1.0f, exponential);
    const bool negative = x < 0.0f;
    const float sigmoid = div(negative ? exponential : 1.0f, denominator);
    const float rest = div(negative ? 1.0f : exponential, denominator);
    const float near = max(-120.0f, min(120.0f, x));
    const float slope = fma(mul(near, sigmoid), rest, sigmoid);
    return is_nan(x) ? x : slope;
}

}  // namespace xielu_cuda
