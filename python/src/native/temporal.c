/* Dates and times between Python and Arrow: whole units since 1970-01-01 in Int64, proleptic Gregorian calendar, years 1 to 9999 as in Python. */
#include <Python.h>

#include <datetime.h>

#include "values.h"

#define SECONDS_PER_DAY 86400
#define DAYS_FIRST (-719162LL) /* 0001-01-01 */
#define DAYS_LAST 2932896LL    /* 9999-12-31 */

static PyObject *instant_class;

PyObject *register_instant_class(PyObject *module, PyObject *type)
{
    (void)module;
    if (!PyType_Check(type)) {
        PyErr_SetString(PyExc_TypeError, "a class was expected");
        return NULL;
    }
    Py_XSETREF(instant_class, Py_NewRef(type));
    Py_RETURN_NONE;
}

static bool temporal_prepare(void)
{
    if (PyDateTimeAPI == NULL) PyDateTime_IMPORT;
    return PyDateTimeAPI != NULL;
}

static int64_t floor_divide(int64_t value, int64_t divisor, int64_t *remainder)
{
    int64_t quotient = value / divisor;
    *remainder = value % divisor;
    if (*remainder < 0) {
        *remainder += divisor;
        quotient--;
    }
    return quotient;
}

/* The civil date of a day number, by counting 400-year eras from March. */
static void civil_of_days(int64_t days, int *year, int *month, int *day)
{
    int64_t day_of_era, day_of_400;
    int64_t era = floor_divide(days + 719468, 146097, &day_of_era);
    day_of_400 = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * day_of_400 + day_of_400 / 4 - day_of_400 / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = (int)(day_of_400 + era * 400 + (*month <= 2));
}

static int64_t days_of_civil(int year, int month, int day)
{
    int64_t shifted_year = year - (month <= 2);
    int64_t year_of_era;
    int64_t era = floor_divide(shifted_year, 400, &year_of_era);
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static PyObject *out_of_range(void)
{
    PyErr_SetString(PyExc_OverflowError, "a date outside the years 1 to 9999 has no Python value");
    return NULL;
}

PyObject *date_get(int64_t days)
{
    if (!temporal_prepare()) return NULL;
    if (days < DAYS_FIRST || days > DAYS_LAST) return out_of_range();
    int year, month, day;
    civil_of_days(days, &year, &month, &day);
    return PyDate_FromDate(year, month, day);
}

PyObject *time_get(int64_t value, int64_t units_per_second)
{
    if (!temporal_prepare()) return NULL;
    int64_t fraction, second_of_day, seconds = floor_divide(value, units_per_second, &fraction);
    floor_divide(seconds, SECONDS_PER_DAY, &second_of_day);
    int microseconds = (int)(units_per_second > 1000000 ? fraction / (units_per_second / 1000000) : fraction * (1000000 / units_per_second));
    int second = (int)second_of_day;
    return PyTime_FromTime(second / 3600, second / 60 % 60, second % 60, microseconds);
}

static PyObject *datetime_make(int64_t value, int64_t units_per_second, PyObject *zone)
{
    if (!temporal_prepare()) return NULL;
    int64_t fraction, second_of_day, seconds = floor_divide(value, units_per_second, &fraction);
    int64_t days = floor_divide(seconds, SECONDS_PER_DAY, &second_of_day);
    if (days < DAYS_FIRST || days > DAYS_LAST) return out_of_range();
    int year, month, day, second = (int)second_of_day;
    civil_of_days(days, &year, &month, &day);
    int microseconds = (int)(units_per_second > 1000000 ? fraction / (units_per_second / 1000000) : fraction * (1000000 / units_per_second));
    return PyDateTimeAPI->DateTime_FromDateAndTime(
        year, month, day, second / 3600, second / 60 % 60, second % 60, microseconds, zone, PyDateTimeAPI->DateTimeType);
}

PyObject *timestamp_get(int64_t value, int64_t units_per_second) { return datetime_make(value, units_per_second, Py_None); }

PyObject *instant_get(int64_t value, int64_t units_per_second)
{
    if (!temporal_prepare()) return NULL;
    if (instant_class == NULL) return datetime_make(value, units_per_second, PyDateTime_TimeZone_UTC);
    int64_t fraction, seconds = floor_divide(value, units_per_second, &fraction);
    return PyObject_CallFunction(instant_class, "LL", (long long)seconds, (long long)(fraction * (1000000000 / units_per_second)));
}

PyObject *duration_get(int64_t value, int64_t units_per_second)
{
    if (!temporal_prepare()) return NULL;
    int64_t fraction, second_of_day, seconds = floor_divide(value, units_per_second, &fraction);
    int64_t days = floor_divide(seconds, SECONDS_PER_DAY, &second_of_day);
    if (days < -999999999 || days > 999999999) return out_of_range();
    int microseconds = (int)(units_per_second > 1000000 ? fraction / (units_per_second / 1000000) : fraction * (1000000 / units_per_second));
    return PyDelta_FromDSU((int)days, (int)second_of_day, microseconds);
}

/* seconds and microseconds in units, truncated towards the past (as Flink drops digits beyond the precision). */
static const char *join_units(int64_t seconds, int64_t nanoseconds, int64_t units_per_second, int64_t *stored)
{
    int64_t whole;
    if (__builtin_mul_overflow(seconds, units_per_second, &whole)) return "it is out of the range of this precision";
    if (__builtin_add_overflow(whole, nanoseconds / (1000000000 / units_per_second), stored)) return "it is out of the range of this precision";
    return NULL;
}

const char *date_set(PyObject *value, int64_t *days)
{
    if (!temporal_prepare()) return "datetime is missing";
    if (!PyDate_Check(value)) return "a datetime.date was expected";
    if (PyDateTime_Check(value)) return "a datetime.date was expected, not a datetime; use value.date()";
    *days = days_of_civil(PyDateTime_GET_YEAR(value), PyDateTime_GET_MONTH(value), PyDateTime_GET_DAY(value));
    return NULL;
}

const char *time_set(PyObject *value, int64_t units_per_second, int64_t *stored)
{
    if (!temporal_prepare()) return "datetime is missing";
    if (!PyTime_Check(value)) return "a datetime.time was expected";
    if (((PyDateTime_Time *)value)->hastzinfo) return "a time with a zone is refused; use value.replace(tzinfo=None)";
    int64_t seconds = PyDateTime_TIME_GET_HOUR(value) * 3600 + PyDateTime_TIME_GET_MINUTE(value) * 60 + PyDateTime_TIME_GET_SECOND(value);
    return join_units(seconds, PyDateTime_TIME_GET_MICROSECOND(value) * 1000LL, units_per_second, stored);
}

static int64_t seconds_of_datetime(PyObject *value)
{
    int64_t days = days_of_civil(PyDateTime_GET_YEAR(value), PyDateTime_GET_MONTH(value), PyDateTime_GET_DAY(value));
    return days * SECONDS_PER_DAY + PyDateTime_DATE_GET_HOUR(value) * 3600 + PyDateTime_DATE_GET_MINUTE(value) * 60 + PyDateTime_DATE_GET_SECOND(value);
}

const char *timestamp_set(PyObject *value, int64_t units_per_second, int64_t *stored)
{
    if (!temporal_prepare()) return "datetime is missing";
    if (!PyDateTime_Check(value)) return "a datetime.datetime was expected";
    if (((PyDateTime_DateTime *)value)->hastzinfo) {
        return "a datetime with a zone is refused; declare TIMESTAMP_LTZ (Types.INSTANT), or use value.replace(tzinfo=None)";
    }
    return join_units(seconds_of_datetime(value), PyDateTime_DATE_GET_MICROSECOND(value) * 1000LL, units_per_second, stored);
}

/* An object with `seconds` and `nanos`, such as Instant. */
static const char *instant_read(PyObject *value, int64_t units_per_second, int64_t *stored)
{
    PyObject *seconds = PyObject_GetAttrString(value, "seconds");
    PyObject *nanos = seconds == NULL ? NULL : PyObject_GetAttrString(value, "nanos");
    const char *problem = "an Instant or a datetime with a zone was expected";
    if (nanos != NULL && PyLong_Check(seconds) && PyLong_Check(nanos)) {
        long long whole = PyLong_AsLongLong(seconds), fraction = PyLong_AsLongLong(nanos);
        bool is_read = !PyErr_Occurred() && fraction >= 0 && fraction < 1000000000;
        problem = is_read ? join_units(whole, fraction, units_per_second, stored) : "its seconds or nanos are out of range";
    }
    PyErr_Clear();
    Py_XDECREF(seconds);
    Py_XDECREF(nanos);
    return problem;
}

const char *instant_set(PyObject *value, int64_t units_per_second, int64_t *stored)
{
    if (!temporal_prepare()) return "datetime is missing";
    if (!PyDateTime_Check(value)) return instant_read(value, units_per_second, stored);
    if (!((PyDateTime_DateTime *)value)->hastzinfo) return "a datetime without a zone is refused; declare TIMESTAMP, or give it a tzinfo";
    PyObject *offset = PyObject_CallMethod(value, "utcoffset", NULL);
    if (offset == NULL) return "its zone failed";
    const char *problem = "its zone gives no offset";
    if (PyDelta_Check(offset)) {
        int64_t seconds = seconds_of_datetime(value) - PyDateTime_DELTA_GET_DAYS(offset) * (int64_t)SECONDS_PER_DAY - PyDateTime_DELTA_GET_SECONDS(offset);
        int64_t microseconds = PyDateTime_DATE_GET_MICROSECOND(value) - PyDateTime_DELTA_GET_MICROSECONDS(offset);
        if (microseconds < 0) {
            microseconds += 1000000;
            seconds--;
        }
        problem = join_units(seconds, microseconds * 1000, units_per_second, stored);
    }
    Py_DECREF(offset);
    return problem;
}

const char *duration_set(PyObject *value, int64_t units_per_second, int64_t *stored)
{
    if (!temporal_prepare()) return "datetime is missing";
    if (!PyDelta_Check(value)) return "a datetime.timedelta was expected";
    int64_t seconds = PyDateTime_DELTA_GET_DAYS(value) * (int64_t)SECONDS_PER_DAY + PyDateTime_DELTA_GET_SECONDS(value);
    return join_units(seconds, PyDateTime_DELTA_GET_MICROSECONDS(value) * 1000LL, units_per_second, stored);
}
