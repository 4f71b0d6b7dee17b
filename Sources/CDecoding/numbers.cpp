#include "decoding.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <locale.h>
#include <string>
#include <simdjson.h>

namespace {

double c_locale_strtod(const char *text) {
    static const locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
    return strtod_l(text, nullptr, c_locale);
}

template <typename Number>
int32_t parse(const uint8_t *text, size_t count, Number *value) {
    const char *first = reinterpret_cast<const char *>(text);
    const char *last = first + count;
    if (first != last && *first == '+') {
        ++first;
        if (first != last && *first == '-') return decoding_number_malformed;
    }
    Number result = 0;
    auto [end, error] = std::from_chars(first, last, result);
    if (error == std::errc::invalid_argument || end != last) return decoding_number_malformed;
    if (error == std::errc::result_out_of_range) {
        // Both ends are "out of range" to from_chars: what is too small is rounded to zero, what is too large is refused.
        double exact = c_locale_strtod(std::string(first, last).c_str());
        result = static_cast<Number>(exact);
        if (std::isinf(result)) return decoding_number_out_of_range;
    }
    *value = result;
    return decoding_number_ok;
}

}  // namespace

extern "C" int32_t decoding_double(const uint8_t *text, size_t count, double *value) { return parse(text, count, value); }
extern "C" int32_t decoding_float(const uint8_t *text, size_t count, float *value) { return parse(text, count, value); }

extern "C" bool decoding_is_utf8(const uint8_t *text, size_t count) {
    return simdjson::validate_utf8(reinterpret_cast<const char *>(text), count);
}
