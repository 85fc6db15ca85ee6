/* CMSIS-NN's int8 fully connected layer on the board of examples/c/bare, in the largest shape of
 * examples/cortex-m/src/products.rs: instructions per multiply-accumulate, by SysTick under
 * `-icount shift=0`, where 25 MHz make a tick 40 instructions. */
#include <stdio.h>
#include <stdlib.h>

#include "arm_nnfunctions.h"

#define ROWS 30
#define COLS 1024

static int8_t weights[ROWS * COLS], input[COLS], output[ROWS];
static int32_t bias[ROWS];

#define SYST_CSR (*(volatile uint32_t *)0xe000e010)
#define SYST_RVR (*(volatile uint32_t *)0xe000e014)
#define SYST_CVR (*(volatile uint32_t *)0xe000e018)

int main(void)
{
    for (int i = 0; i < ROWS * COLS; i++) {
        weights[i] = (int8_t)(rand() & 255);
    }
    for (int i = 0; i < COLS; i++) {
        input[i] = (int8_t)(rand() & 255);
    }
    cmsis_nn_context context = {NULL, 0};
    cmsis_nn_fc_params fc = {0, 0, 0, {-128, 127}};
    cmsis_nn_per_tensor_quant_params quant = {1 << 30, -12};
    cmsis_nn_dims in = {1, 1, 1, COLS}, filter = {COLS, 1, 1, ROWS}, one = {1, 1, 1, ROWS};
    SYST_RVR = 0xffffff;
    SYST_CVR = 0;
    SYST_CSR = 5;
    uint32_t start = SYST_CVR;
    int status = arm_fully_connected_s8(&context, &fc, &quant, &in, input, &filter, weights, &one,
                                        bias, &one, output);
    uint32_t ticks = (start - SYST_CVR) & 0xffffff;
    /* Its results, by a loop that anyone can read. */
    int wrong = status != ARM_CMSIS_NN_SUCCESS;
    for (int r = 0; r < ROWS; r++) {
        int32_t sum = 0;
        for (int c = 0; c < COLS; c++) {
            sum += weights[r * COLS + c] * input[c];
        }
        double scaled = sum / 8192.0;
        double clamped = scaled > 127 ? 127 : scaled < -128 ? -128 : scaled;
        double off = output[r] - clamped;
        wrong += off > 0.51 || off < -0.51;
    }
    printf("%.2f\n", ticks * 40.0 / (ROWS * COLS));
    return wrong;
}
