/* Numbers as text. Independent of the locale. */
#ifndef GRADD_BASE_NUMBER_H
#define GRADD_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads the longest decimal floating-point number at the start of text ("12", "-0", "1e-3", ".5", "1."), correctly
 * rounded to double. Returns how many bytes it took, 0 if there is none. A number beyond double's range gives an
 * infinity, underflow reads as 0 (or denormal). No leading space, no hexadecimal, no "inf", no "nan". A leading '+' is
 * not taken. */
size_t number_scan(const char *text, size_t length, double *ret);
/* As number_scan, rounded once, straight to float. */
size_t number_scan_float(const char *text, size_t length, float *ret);

/* Writes the shortest decimal form that reads back to the same value of that type: 16 for 16.0, -0 for -0.0,
 * 1e-7, 1.5e+300 as 1.5e300. The value must be finite. Returns the length, without the terminating NUL. */
enum { NUMBER_TEXT_MAX = 32 };
size_t number_print(double value, char buffer[NUMBER_TEXT_MAX]);
size_t number_print_float(float value, char buffer[NUMBER_TEXT_MAX]);

/* A whole decimal number without sign, at most `max`; the whole text must be digits. */
bool number_whole(const char *text, uint64_t max, uint64_t *ret);

#endif
