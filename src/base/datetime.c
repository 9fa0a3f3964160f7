/*
 * datetime.c - RFC 3339 in UTC without locale, time zone or libc calendar
 *
 * Days are counted in eras of 400 years that begin on 1 March of year 0, so that the leap day is
 * the last day of its year and the months' lengths follow one formula.
 */
#include "base/datetime.h"

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
	int64_t year = (int64_t)d->year - (d->month <= 2);
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t month = (d->month + 9) % 12;	/* 0: March */
	int64_t day_of_year = (153 * month + 2) / 5 + d->day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
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

/* Writes `value` with `width` digits; returns the place behind them. */
static char *put_digits(char *to, uint64_t value, unsigned width)
{
	for (unsigned i = width; i > 0; i--) {
		to[i - 1] = (char)('0' + value % 10);
		value /= 10;
	}
	return to + width;
}

void datetime_format(int64_t us, char out[DATETIME_TEXT_LEN + 1])
{
	int64_t seconds, days;
	uint64_t second_of_day;
	struct date d;
	char *to = out;

	/* Four digits of year are all there is room for. */
	if (us < US_MIN)
		us = US_MIN;
	if (us > US_MAX)
		us = US_MAX;
	/* Counted from the year 0 all of these are positive, and division rounds down. */
	us -= US_MIN;
	seconds = us / US_PER_SECOND;
	days = seconds / SECONDS_PER_DAY + US_MIN / US_PER_SECOND / SECONDS_PER_DAY;
	second_of_day = (uint64_t)(seconds % SECONDS_PER_DAY);
	d = date_from_days(days);

	to = put_digits(to, d.year, 4);
	*to++ = '-';
	to = put_digits(to, d.month, 2);
	*to++ = '-';
	to = put_digits(to, d.day, 2);
	*to++ = 'T';
	to = put_digits(to, second_of_day / 3600, 2);
	*to++ = ':';
	to = put_digits(to, second_of_day / 60 % 60, 2);
	*to++ = ':';
	to = put_digits(to, second_of_day % 60, 2);
	*to++ = '.';
	to = put_digits(to, (uint64_t)(us % US_PER_SECOND), 6);
	*to++ = 'Z';
	*to = '\0';
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

bool datetime_parse(const char *s, size_t len, int64_t *us)
{
	struct reader r = { .at = s, .end = s + len };
	struct date d;
	unsigned hour, minute, second;
	int64_t fraction, seconds;

	d.year = read_digits(&r, 4);
	read_char(&r, '-');
	d.month = read_digits(&r, 2);
	read_char(&r, '-');
	d.day = read_digits(&r, 2);
	read_char(&r, 'T');
	hour = read_digits(&r, 2);
	read_char(&r, ':');
	minute = read_digits(&r, 2);
	read_char(&r, ':');
	second = read_digits(&r, 2);
	fraction = read_fraction(&r);
	read_char(&r, 'Z');
	if (r.failed || r.at != r.end)
		return false;
	if (d.month < 1 || d.month > 12 || d.day < 1 || d.day > days_in_month(d.year, d.month))
		return false;
	if (hour > 23 || minute > 59 || second > 59)
		return false;
	if (us != NULL) {
		seconds = date_to_days(&d) * SECONDS_PER_DAY +
			  (int64_t)(hour * 3600 + minute * 60 + second);
		*us = seconds * US_PER_SECOND + fraction;
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
