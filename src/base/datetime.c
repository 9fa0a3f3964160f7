/*
 * datetime.c - RFC 3339 in UTC without locale, time zone or libc calendar
 *
 * Days are counted in eras of 400 years that begin on 1 March of year 0, so that the leap day is
 * the last day of its year and the months' lengths follow one formula.
 */
#include "base/datetime.h"

#include <string.h>
#include <time.h>

#include "base/log.h"

#define US_PER_SECOND INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)
#define DAYS_PER_ERA INT64_C(146097)
#define DAYS_TO_1970 INT64_C(719468)	/* from 1 March of year 0 */
#define US_MIN INT64_C(-62167219200000000)	/* 0000-01-01T00:00:00.000000Z */
#define US_MAX INT64_C(253402300799999999)	/* 9999-12-31T23:59:59.999999Z */

struct date {
	unsigned year, month, day;
};

static bool is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_in_month(unsigned year, unsigned month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days since 1970 of a real date in the years 0 to 9999. */
static int64_t date_to_days(const struct date *d)
{
	/* Counted from the era before, so that January of the year 0 is not negative. */
	unsigned year = d->year + 400 - (d->month <= 2);
	unsigned month = d->month > 2 ? d->month - 3 : d->month + 9;	/* 0: March */
	unsigned day_of_year = (153 * month + 2) / 5 + d->day - 1;
	unsigned days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;

	return days - DAYS_PER_ERA - DAYS_TO_1970;
}

static struct date date_from_days(int64_t days)
{
	int64_t count = days + DAYS_TO_1970;
	int64_t era = (count >= 0 ? count : count - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
	int64_t day_of_era = count - era * DAYS_PER_ERA;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
			       day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 -
					    year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153;	/* 0: March */
	struct date d = {
		.month = (unsigned)(month < 10 ? month + 3 : month - 9),
		.day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1),
	};

	d.year = (unsigned)(year_of_era + era * 400 + (d.month <= 2));
	return d;
}

/* Two digits; returns the place behind them. */
static char *put_pair(char *to, uint64_t value)
{
	static const char pairs[] =
	    "00010203040506070809101112131415161718192021222324"
	    "25262728293031323334353637383940414243444546474849"
	    "50515253545556575859606162636465666768697071727374"
	    "75767778798081828384858687888990919293949596979899";

	memcpy(to, pairs + 2 * value, 2);
	return to + 2;
}

void datetime_format(int64_t us, char out[DATETIME_TEXT_LEN + 1])
{
	uint64_t fraction, seconds, second_of_day;
	struct date d;
	char *to = out;

	/* Four digits of year are all there is room for. */
	if (us < US_MIN)
		us = US_MIN;
	if (us > US_MAX)
		us = US_MAX;
	/* Counted from the year 0 all of these are positive, and division rounds down. */
	seconds = (uint64_t)(us - US_MIN) / US_PER_SECOND;
	fraction = (uint64_t)(us - US_MIN) % US_PER_SECOND;
	second_of_day = seconds % SECONDS_PER_DAY;
	d = date_from_days((int64_t)(seconds / SECONDS_PER_DAY) +
	    US_MIN / US_PER_SECOND / SECONDS_PER_DAY);

	to = put_pair(to, d.year / 100);
	to = put_pair(to, d.year % 100);
	*to++ = '-';
	to = put_pair(to, d.month);
	*to++ = '-';
	to = put_pair(to, d.day);
	*to++ = 'T';
	to = put_pair(to, second_of_day / 3600);
	*to++ = ':';
	to = put_pair(to, second_of_day / 60 % 60);
	*to++ = ':';
	to = put_pair(to, second_of_day % 60);
	*to++ = '.';
	to = put_pair(to, fraction / 10000);
	to = put_pair(to, fraction / 100 % 100);
	to = put_pair(to, fraction % 100);
	*to++ = 'Z';
	*to = '\0';
}

/* What a text says, before it is known whether there is such a moment. */
struct reading {
	struct date date;
	unsigned hour, minute, second;
	int64_t fraction;	/* microseconds */
};

/* Sixteen bytes at once: the compilers' own vectors (gcc, clang). */
typedef uint8_t vector __attribute__((vector_size(16)));

/* 16 characters at s less those of `form`, into `out`; false when one is less, or `most` is. */
static bool subtract_form(const char *s, const char *form, const char *most, uint8_t out[16])
{
	vector text, zero, limit;
	uint64_t over[2];

	memcpy(&text, s, sizeof(text));
	memcpy(&zero, form, sizeof(zero));
	memcpy(&limit, most, sizeof(limit));
	text -= zero;
	memcpy(out, &text, sizeof(text));
	text = (vector)(text > limit - zero);
	memcpy(over, &text, sizeof(over));
	return (over[0] | over[1]) == 0;
}

static unsigned pair_at(const uint8_t *digits, size_t at)
{
	return digits[at] * 10u + digits[at + 1];
}

/* The form that datetime_format() writes, and nearly everybody: exactly six digits of fraction. */
static bool read_usual(const char *s, struct reading *r)
{
	enum { TIME_AT = 11 };
	uint8_t d[16], t[16];

	if (!subtract_form(s, "0000-00-00T00:00", "9999-99-99T99:99", d) ||
	    !subtract_form(s + TIME_AT, "00:00:00.000000Z", "99:99:99.999999Z", t))
		return false;
	*r = (struct reading){
		.date = {
			.year = pair_at(d, 0) * 100 + pair_at(d, 2),
			.month = pair_at(d, 5),
			.day = pair_at(d, 8),
		},
		.hour = pair_at(t, 0),
		.minute = pair_at(t, 3),
		.second = pair_at(t, 6),
		.fraction = pair_at(t, 9) * 10000 + pair_at(t, 11) * 100 + pair_at(t, 13),
	};
	return true;
}

/* A text that is read from the front; a failed step makes every later one do nothing. */
struct reader {
	const char *at, *end;
	bool failed;
};

static unsigned read_digits(struct reader *r, unsigned width)
{
	unsigned value = 0;

	for (unsigned i = 0; i < width; i++) {
		if (r->failed || r->at == r->end || *r->at < '0' || *r->at > '9') {
			r->failed = true;
			return 0;
		}
		value = value * 10 + (unsigned)(*r->at++ - '0');
	}
	return value;
}

static void read_char(struct reader *r, char expected)
{
	if (r->failed || r->at == r->end || *r->at != expected)
		r->failed = true;
	else
		r->at++;
}

/* `.` and one to nine digits, or nothing; in microseconds, what is finer is cut. */
static int64_t read_fraction(struct reader *r)
{
	int64_t us = 0;
	int64_t unit = US_PER_SECOND / 10;
	unsigned digits = 0;

	if (r->failed || r->at == r->end || *r->at != '.')
		return 0;
	r->at++;
	while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
		us += (*r->at++ - '0') * unit;
		unit /= 10;
		digits++;
	}
	if (digits < 1 || digits > 9)
		r->failed = true;
	return us;
}

/* With none to nine digits of fraction. */
static bool read_any(const char *s, size_t len, struct reading *r)
{
	struct reader at = { .at = s, .end = s + len };

	r->date.year = read_digits(&at, 4);
	read_char(&at, '-');
	r->date.month = read_digits(&at, 2);
	read_char(&at, '-');
	r->date.day = read_digits(&at, 2);
	read_char(&at, 'T');
	r->hour = read_digits(&at, 2);
	read_char(&at, ':');
	r->minute = read_digits(&at, 2);
	read_char(&at, ':');
	r->second = read_digits(&at, 2);
	r->fraction = read_fraction(&at);
	read_char(&at, 'Z');
	return !at.failed && at.at == at.end;
}

static bool is_real(const struct reading *r)
{
	const struct date *d = &r->date;

	return d->month >= 1 && d->month <= 12 && d->day >= 1 &&
	       (d->day <= 28 || d->day <= days_in_month(d->year, d->month)) &&
	       r->hour <= 23 && r->minute <= 59 && r->second <= 59;
}

bool datetime_parse(const char *s, size_t len, int64_t *us)
{
	struct reading r;
	int64_t seconds;

	if (!(len == DATETIME_TEXT_LEN && read_usual(s, &r)) && !read_any(s, len, &r))
		return false;
	if (!is_real(&r))
		return false;
	if (us != NULL) {
		seconds = date_to_days(&r.date) * SECONDS_PER_DAY +
			  (int64_t)(r.hour * 3600 + r.minute * 60 + r.second);
		*us = seconds * US_PER_SECOND + r.fraction;
	}
	return true;
}

static int64_t clock_us(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts) != 0)
		fatalx("the system has no clock %d", (int)clock);
	return (int64_t)ts.tv_sec * US_PER_SECOND + ts.tv_nsec / 1000;
}

int64_t datetime_now_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ms(void)
{
	return clock_monotonic_us() / 1000;
}
