/* The model, in flash. */
    .section .rodata.model, "a"
    .balign 32
    .global model_begin, model_end
model_begin:
    .incbin MODEL
model_end:
