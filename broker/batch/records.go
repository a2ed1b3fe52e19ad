package batch

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
)

// MaxUnpacked is what the records of one batch may unpack to unless a caller sets its own limit: a small batch must not
// become gigabytes of memory.
const MaxUnpacked = 64 << 20

// Record is one record, valid only inside the callback that got it.
type Record struct {
	Offset    int64
	Timestamp int64
	Key       []byte // nil: null
	Value     []byte // nil: null

	Headers RecordHeaders

	offsetDelta int32
	body        []byte // everything from the key length on
}

// RecordHeaders are a record's headers, as stored.
type RecordHeaders struct {
	Count int
	raw   []byte
}

// All yields name and value (nil: null) of each header.
func (h RecordHeaders) All() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		rest := h.raw
		for range h.Count {
			name, r, err := takeBytes(rest)
			if err != nil {
				return // cannot be: parseRecord checked them
			}
			value, r, err := takeBytes(r)
			if err != nil || !yield(string(name), value) {
				return
			}
			rest = r
		}
	}
}

// Each calls fn with every record of the batch in order, in memory it reuses, and checks that they are what the header
// says. An error of fn ends the walk and comes back as it is. What the records unpack to is limited by limit, or by
// MaxUnpacked if that is 0.
func (b Batch) Each(limit int, fn func(*Record) error) error {
	if limit <= 0 {
		limit = MaxUnpacked
	}
	data, release, err := unpack(b.Codec(), b.Payload(), limit)
	if err != nil {
		return err
	}
	defer release()
	base, baseTime := b.BaseOffset(), b.BaseTimestamp()
	appendTime, maxTime, lastDelta := b.LogAppendTime(), b.MaxTimestamp(), b.LastOffsetDelta()
	count := b.Count()
	if count < 0 || int64(count) > int64(len(data)) {
		return recordsError("a record count the bytes can hold", "%d records in %d bytes", count, len(data))
	}
	var r Record
	for i := range count {
		var timeDelta int64
		data, timeDelta, err = parseRecord(data, &r)
		if err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
		if r.offsetDelta < 0 || r.offsetDelta > lastDelta {
			return recordsError(fmt.Sprintf("offset delta 0 to %d in record %d", lastDelta, i), "%d", r.offsetDelta)
		}
		r.Offset = base + int64(r.offsetDelta)
		if appendTime {
			r.Timestamp = maxTime
		} else {
			r.Timestamp = baseTime + timeDelta
		}
		if err := fn(&r); err != nil {
			return err
		}
	}
	if len(data) != 0 {
		return recordsError(fmt.Sprintf("%d records", count), "%d bytes after them", len(data))
	}
	return nil
}

func recordsError(expected, found string, args ...any) error {
	return &FormatError{ErrRecords, expected, fmt.Sprintf(found, args...)}
}

// parseRecord reads the record at the start of b and checks all of it, headers included.
func parseRecord(b []byte, r *Record) (rest []byte, timeDelta int64, err error) {
	size, b, err := takeVarint(b)
	if err != nil {
		return nil, 0, err
	}
	if size < 1 || int(size) > len(b) {
		return nil, 0, recordsError(fmt.Sprintf("record length 1 to %d", len(b)), "%d", size)
	}
	rec, rest := b[:size], b[size:]
	rec = rec[1:] // attributes: none are defined
	timeDelta, n := binary.Varint(rec)
	if n <= 0 {
		return nil, 0, recordsError("a timestamp delta", "end of record or too large a number")
	}
	if r.offsetDelta, rec, err = takeVarint(rec[n:]); err != nil {
		return nil, 0, err
	}
	r.body = rec
	if r.Key, rec, err = takeBytes(rec); err != nil {
		return nil, 0, err
	}
	if r.Value, rec, err = takeBytes(rec); err != nil {
		return nil, 0, err
	}
	headers, rec, err := takeVarint(rec)
	if err != nil {
		return nil, 0, err
	}
	if headers < 0 || int(headers) > len(rec) {
		return nil, 0, recordsError("a header count the record can hold", "%d in %d bytes", headers, len(rec))
	}
	r.Headers = RecordHeaders{Count: int(headers), raw: rec}
	for range headers {
		var name []byte
		if name, rec, err = takeBytes(rec); err != nil {
			return nil, 0, err
		}
		if name == nil {
			return nil, 0, recordsError("a header name", "null")
		}
		if _, rec, err = takeBytes(rec); err != nil {
			return nil, 0, err
		}
	}
	if len(rec) != 0 {
		return nil, 0, recordsError("the end of the record", "%d more bytes", len(rec))
	}
	return rest, timeDelta, nil
}

func takeVarint(b []byte) (int32, []byte, error) {
	if len(b) > 0 && b[0] < 0x80 { // one byte, as most are
		return int32(b[0]>>1) ^ -int32(b[0]&1), b[1:], nil
	}
	v, n := binary.Varint(b)
	if n <= 0 || v < math.MinInt32 || v > math.MaxInt32 {
		return 0, nil, recordsError("a 32-bit number", "end of record or too large a number")
	}
	return int32(v), b[n:], nil
}

// takeBytes reads a length and that many bytes; length -1 is nil.
func takeBytes(b []byte) (v, rest []byte, err error) {
	n, b, err := takeVarint(b)
	switch {
	case err != nil:
		return nil, nil, err
	case n == -1:
		return nil, b, nil
	case n < -1 || int(n) > len(b):
		return nil, nil, recordsError(fmt.Sprintf("a length of -1 to %d", len(b)), "%d", n)
	}
	return b[:n:n], b[n:], nil
}
