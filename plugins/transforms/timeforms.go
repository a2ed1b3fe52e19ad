package transforms

import (
	"math"
	"time"

	"millrace/connectors"
)

// convert turns a moment held in one form into the target's.
func (t *timestampConverter) convert(from timeForm, value any) (any, error) {
	if value == nil {
		return nil, nil
	}
	ms, err := t.millis(from, value)
	if err != nil {
		return nil, err
	}
	switch t.target {
	case formString:
		return t.format.Format(ms), nil
	case formUnix:
		return t.unix(ms), nil
	case formDate:
		return connectors.FromMillis(ms - timeOfDay(ms)), nil
	case formTime:
		return connectors.FromMillis(timeOfDay(ms)), nil
	}
	return connectors.FromMillis(ms), nil
}

func timeOfDay(ms int64) int64 {
	return (ms%connectors.MillisPerDay + connectors.MillisPerDay) % connectors.MillisPerDay
}

// millis returns a moment in milliseconds since 1970.
func (t *timestampConverter) millis(from timeForm, value any) (int64, error) {
	switch from {
	case formString:
		s, ok := value.(string)
		if !ok {
			return 0, dataError("Expected string timestamp to be a String, but found %s", connectors.TypeName(value))
		}
		if t.format == nil {
			return 0, dataError("Could not parse timestamp: value (%s): format is not set", s)
		}
		ms, ok := t.format.Parse(s)
		if !ok {
			return 0, dataError("Could not parse timestamp: value (%s) does not match pattern (%s)", s, t.format)
		}
		return ms, nil
	case formUnix:
		n, ok := value.(int64)
		if !ok {
			return 0, dataError("Expected Unix timestamp to be a Long, but found %s", connectors.TypeName(value))
		}
		if t.unit >= time.Millisecond {
			return times(n, int64(t.unit/time.Millisecond)), nil
		}
		return n / int64(time.Millisecond/t.unit), nil
	}
	moment, ok := value.(time.Time)
	if !ok {
		return 0, dataError("Expected %s to be a Date, but found %s", from, connectors.TypeName(value))
	}
	return moment.UnixMilli(), nil
}

// unix returns milliseconds in the unit of the configuration.
func (t *timestampConverter) unix(ms int64) int64 {
	if t.unit >= time.Millisecond {
		return ms / int64(t.unit/time.Millisecond)
	}
	return times(ms, int64(time.Millisecond/t.unit))
}

// times multiplies; what is out of range becomes the nearest that is not.
func times(n, factor int64) int64 {
	switch {
	case n > math.MaxInt64/factor:
		return math.MaxInt64
	case n < math.MinInt64/factor:
		return math.MinInt64
	}
	return n * factor
}
