package connectors

import "time"

// MillisPerDay is the length of a day, as the Date type counts it.
const MillisPerDay = 24 * 60 * 60 * 1000

// FromMillis returns the moment that is ms milliseconds after 1970, in UTC: how Date, Time and Timestamp are held.
func FromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// DateFromDays returns the Date with the given encoding, days since 1970.
func DateFromDays(days int32) time.Time { return FromMillis(int64(days) * MillisPerDay) }

// DaysOf returns the encoding of a Date; it fails if t has a time of day.
func DaysOf(t time.Time) (int32, error) {
	ms := t.UnixMilli()
	if ms%MillisPerDay != 0 {
		return 0, &DataError{Msg: "Kafka Connect Date type should not have any time fields set to non-zero values."}
	}
	return int32(ms / MillisPerDay), nil
}

// TimeFromMillis returns the Time with the given encoding, milliseconds since midnight.
func TimeFromMillis(ms int32) (time.Time, error) {
	if ms < 0 || ms > MillisPerDay {
		return time.Time{}, &DataError{Msg: "Time values must use number of milliseconds greater than 0 and less than 86400000"}
	}
	return FromMillis(int64(ms)), nil
}

// MillisOfDay returns the encoding of a Time; it fails if t is not on the first day of 1970.
func MillisOfDay(t time.Time) (int32, error) {
	ms := t.UnixMilli()
	if ms < 0 || ms > MillisPerDay {
		return 0, &DataError{Msg: "Kafka Connect Time type should not have any date fields set to non-zero values."}
	}
	return int32(ms), nil
}
