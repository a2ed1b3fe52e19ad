package javatime

// A date is a moment taken apart, in UTC.
type date struct {
	year                    int64 // 0 is 1 BC
	month, day              int64 // from 1
	hour, minute, sec, msec int64
	days                    int64 // since 1970-01-01
}

const (
	msPerDay = 24 * 60 * 60 * 1000
	// cutover is the first day of the Gregorian calendar, 1582-10-15, in days since 1970-01-01.
	cutover = -141427
	// Days from 0000-03-01 to 1970-01-01 in the two calendars.
	gregorianEpoch = 719468
	julianEpoch    = 719470
)

func split(ms int64) date {
	days := floorDiv(ms, msPerDay)
	rest := ms - days*msPerDay
	d := date{days: days, hour: rest / 3600000, minute: rest / 60000 % 60, sec: rest / 1000 % 60, msec: rest % 1000}
	if days >= cutover {
		d.year, d.month, d.day = gregorian(days)
	} else {
		d.year, d.month, d.day = julian(days)
	}
	return d
}

// weekday returns 0 for Sunday to 6 for Saturday.
func weekday(days int64) int64 { return floorMod(days+4, 7) }

// epochDays returns the day of a date whose month and day may be out of range: they count on from the year's beginning.
func epochDays(year, month, day int64) int64 {
	year += floorDiv(month-1, 12)
	month = floorMod(month-1, 12) + 1
	g := gregorianDays(year, month) + day - 1
	j := julianDays(year, month) + day - 1
	switch {
	case year > 1582 && g >= cutover:
		return g
	case year < 1582 && j < cutover:
		return j
	case g >= cutover:
		return g
	}
	return j
}

func gregorianDays(year, month int64) int64 {
	year, doy := fromMarch(year, month)
	return 365*year + floorDiv(year, 4) - floorDiv(year, 100) + floorDiv(year, 400) + doy - gregorianEpoch
}

func julianDays(year, month int64) int64 {
	year, doy := fromMarch(year, month)
	return 365*year + floorDiv(year, 4) + doy - julianEpoch
}

// fromMarch returns the year that begins in March and the day of that year on which month begins: the leap day is then
// the last one and needs no thought.
func fromMarch(year, month int64) (y, doy int64) {
	if month <= 2 {
		year--
		month += 12
	}
	return year, (153*(month-3) + 2) / 5
}

func gregorian(days int64) (year, month, day int64) {
	z := days + gregorianEpoch
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	month, day = monthDay(doe - (365*yoe + yoe/4 - yoe/100))
	return yoe + era*400 + january(month), month, day
}

func julian(days int64) (year, month, day int64) {
	z := days + julianEpoch
	year = floorDiv(4*z+3, 1461)
	month, day = monthDay(z - floorDiv(1461*year, 4))
	return year + january(month), month, day
}

// monthDay turns a day of the year that begins in March into a month and a day.
func monthDay(doy int64) (month, day int64) {
	m := (5*doy + 2) / 153
	day = doy - (153*m+2)/5 + 1
	if m < 10 {
		return m + 3, day
	}
	return m - 9, day
}

// january is 1 for the months that belong to the year after the one that began in March.
func january(month int64) int64 {
	if month <= 2 {
		return 1
	}
	return 0
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }

// dayOfYear counts from 1.
func (d date) dayOfYear() int64 { return d.days - epochDays(d.year, 1, 1) + 1 }

// week returns the week of the year and the year it belongs to, in the American way: weeks begin on Sunday, and the one
// with 1 January in it is the first.
func (d date) week() (year, week int64) {
	saturday := d.days + 6 - weekday(d.days)
	if saturday >= epochDays(d.year+1, 1, 1) {
		return d.year + 1, 1
	}
	first := epochDays(d.year, 1, 1)
	return d.year, (d.days-first+weekday(first))/7 + 1
}

func (d date) weekOfMonth() int64 { return (d.day-1+weekday(d.days-d.day+1))/7 + 1 }

// yearOfEra returns the year as people write it, and whether it is before Christ.
func (d date) yearOfEra() (year int64, bc bool) {
	if d.year <= 0 {
		return 1 - d.year, true
	}
	return d.year, false
}
