#include "decoding.h"

#include <cstring>
#include <new>
#include <simdjson.h>
#include <string_view>
#include <vector>

using namespace simdjson;

struct decoding_json {
    ondemand::parser parser;
    std::vector<decoding_json_event> events;
    uint32_t depth_max;
};

namespace {

// simdjson finds the structure, checks UTF-8 and takes escapes out of strings; the numbers stay text, because DECIMAL needs every digit.
class walker {
public:
    walker(std::vector<decoding_json_event> &events, uint32_t depth_max) : events(events), depth_max(depth_max) {}

    error_code object(ondemand::object value, uint32_t depth) {
        if (depth > depth_max) return DEPTH_ERROR;
        size_t begin = push(decoding_json_object, {});
        for (auto field : value) {
            if (field.error()) return field.error();
            std::string_view key;
            if (auto error = field.unescaped_key().get(key)) return error;
            push(decoding_json_key, key);
            ondemand::value inner;
            if (auto error = field.value().get(inner)) return error;
            if (auto error = any(inner, depth)) return error;
        }
        return end(begin);
    }

private:
    error_code array(ondemand::array value, uint32_t depth) {
        if (depth > depth_max) return DEPTH_ERROR;
        size_t begin = push(decoding_json_array, {});
        for (auto element : value) {
            ondemand::value inner;
            if (auto error = element.get(inner)) return error;
            if (auto error = any(inner, depth)) return error;
        }
        return end(begin);
    }

    error_code any(ondemand::value &value, uint32_t depth) {
        std::string_view token = value.raw_json_token();
        if (token.empty()) return TAPE_ERROR;
        switch (token.front()) {
        case '{': {
            ondemand::object inner;
            if (auto error = value.get_object().get(inner)) return error;
            return object(inner, depth + 1);
        }
        case '[': {
            ondemand::array inner;
            if (auto error = value.get_array().get(inner)) return error;
            return array(inner, depth + 1);
        }
        case '"': {
            std::string_view text;
            if (auto error = value.get_string().get(text)) return error;
            push(decoding_json_string, text);
            return SUCCESS;
        }
        default: return scalar(trimmed(token));
        }
    }

    // A scalar is not taken from the reader, only looked at; the reader passes over it by itself.
    error_code scalar(std::string_view token) {
        if (token == "null") return push(decoding_json_null, token), SUCCESS;
        if (token == "true") return push(decoding_json_true, token), SUCCESS;
        if (token == "false") return push(decoding_json_false, token), SUCCESS;
        switch (token.front()) {
        case 't': return T_ATOM_ERROR;
        case 'f': return F_ATOM_ERROR;
        case 'n': return N_ATOM_ERROR;
        default: break;
        }
        if (token.front() != '-' && (token.front() < '0' || token.front() > '9')) return TAPE_ERROR;
        if (!is_number(token)) return NUMBER_ERROR;
        return push(decoding_json_number, token), SUCCESS;
    }

    static std::string_view trimmed(std::string_view token) {
        while (!token.empty() && std::strchr(" \t\r\n", token.back())) token.remove_suffix(1);
        return token;
    }

    static bool is_number(std::string_view token) {
        const char *at = token.data();
        const char *last = at + token.size();
        auto digits = [&] {
            const char *first = at;
            while (at != last && *at >= '0' && *at <= '9') ++at;
            return at != first;
        };
        if (at != last && *at == '-') ++at;
        if (at != last && *at == '0') {
            ++at;
        } else if (!digits()) {
            return false;
        }
        if (at != last && *at == '.') {
            ++at;
            if (!digits()) return false;
        }
        if (at != last && (*at == 'e' || *at == 'E')) {
            ++at;
            if (at != last && (*at == '+' || *at == '-')) ++at;
            if (!digits()) return false;
        }
        return at == last;
    }

    size_t push(decoding_json_kind kind, std::string_view text) {
        events.push_back({reinterpret_cast<const uint8_t *>(text.data()), static_cast<uint32_t>(text.size()), static_cast<uint32_t>(kind)});
        return events.size() - 1;
    }

    error_code end(size_t begin) {
        size_t place = push(decoding_json_end, {});
        events[begin].length = static_cast<uint32_t>(place);
        return SUCCESS;
    }

    std::vector<decoding_json_event> &events;
    uint32_t depth_max;
};

}  // namespace

extern "C" decoding_json *decoding_json_create(uint32_t depth_max) {
    auto *json = new (std::nothrow) decoding_json();
    if (json) json->depth_max = depth_max;
    return json;
}

extern "C" void decoding_json_free(decoding_json *json) { delete json; }

extern "C" size_t decoding_json_padding(void) { return SIMDJSON_PADDING; }

extern "C" const char *decoding_json_parse(
    decoding_json *json, const uint8_t *text, size_t count, const struct decoding_json_event **events, size_t *event_count,
    size_t *error_offset) {
    json->events.clear();
    *error_offset = 0;
    try {
        ondemand::document document;
        error_code error = json->parser.iterate(padded_string_view(text, count, count + SIMDJSON_PADDING)).get(document);
        if (error) return error == EMPTY ? "there is no value" : error_message(error);
        ondemand::object root;
        if ((error = document.get_object().get(root))) return error == INCORRECT_TYPE ? "it is no object" : error_message(error);
        error = walker(json->events, json->depth_max).object(root, 1);
        const char *place = nullptr;
        bool has_place = document.current_location().get(place) == SUCCESS;
        if (has_place && place >= reinterpret_cast<const char *>(text)) {
            size_t offset = static_cast<size_t>(place - reinterpret_cast<const char *>(text));
            if (offset < count) *error_offset = offset;
            if (!error && offset < count) return "there is something behind the object";
        }
        if (error == DEPTH_ERROR) return "it nests too deeply";
        if (error) return error_message(error);
    } catch (const std::bad_alloc &) {
        return "there is not enough memory for it";
    }
    *events = json->events.data();
    *event_count = json->events.size();
    return nullptr;
}
