package commitlog

import (
	"errors"
	"fmt"
	"sort"

	"millrace/broker/batch"
)

// maxReadBytes is the most that one Read returns unless a single batch is larger: with the slack it fits the largest pooled buffer.
const maxReadBytes = 1<<maxBufferBits - readSlack

// Read returns whole batches, from the one that holds offset on, below limit (an offset; a batch that reaches it is not
// returned), in maxBytes, the first one regardless of its size if minOne. No batch there: an empty slice. Below the log
// start or above the end: ErrOffsetOutOfRange. The slice is the caller's until Release. Bytes that were on the disk
// before the log was opened are checked by CRC on their way out; a bad one is a *CorruptError.
func (l *Log) Read(offset, limit int64, maxBytes int, minOne bool) (Slice, error) {
	maxBytes = min(max(maxBytes, 0), maxReadBytes)
	for {
		v, err := l.locate(offset)
		if err != nil || v.seg == nil || v.base >= limit {
			return Slice{}, err
		}
		out, err := l.readSegment(v, offset, limit, maxBytes, minOne)
		if err != nil && l.changed(v) {
			continue // removed, replaced or cut since it was found
		}
		if err != nil || out.Bytes != nil || v.last {
			return out, err
		}
		offset = v.end // nothing at or above offset in this segment: compaction took it
	}
}

// view is what a reader needs to know of a segment, taken under the lock.
type view struct {
	seg     *segment
	base    int64
	size    int64
	trusted int64
	end     int64 // first offset beyond the segment
	last    bool  // it is the active one
	pos     int64 // where to start looking, if known
	known   bool
}

// locate finds the segment that holds offset, or would.
func (l *Log) locate(offset int64) (view, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if errors.Is(l.failed, ErrClosed) {
		return view{}, l.failed
	}
	if offset < l.start || offset > l.end {
		return view{}, fmt.Errorf("offset %d, the log has %d to %d: %w", offset, l.start, l.end, ErrOffsetOutOfRange)
	}
	if offset == l.end {
		return view{}, nil
	}
	i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base > offset }) - 1
	v := l.viewLocked(max(i, 0))
	if v.seg.idx != nil {
		v.pos, v.known = v.seg.idx.position(offset-v.seg.base), true
	}
	return v, nil
}

func (l *Log) viewLocked(i int) view {
	s := l.segments[i]
	v := view{seg: s, base: s.base, size: s.size, trusted: s.trusted, end: l.end, last: i == len(l.segments)-1}
	if !v.last {
		v.end = l.segments[i+1].base
	}
	return v
}

// changed says whether a segment that was found is no longer part of the log, or shorter now.
func (l *Log) changed(v view) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if errors.Is(l.failed, ErrClosed) {
		return true // locate will say so
	}
	i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base >= v.base })
	return i == len(l.segments) || l.segments[i] != v.seg || v.seg.size < v.size
}

// readSegment reads what Read wants from one segment: usually one pread.
func (l *Log) readSegment(v view, offset, limit int64, maxBytes int, minOne bool) (Slice, error) {
	pos := v.pos
	if !v.known {
		idx, err := l.index(v.seg, v.size, v.end)
		if err != nil {
			return Slice{}, err
		}
		pos = idx.position(offset - v.base)
	}
	file, err := v.seg.file.acquire()
	if err != nil {
		return Slice{}, err
	}
	defer v.seg.file.release()

	// The index is sparse: the batch asked for may be up to an interval beyond pos.
	want := maxBytes + readSlack
	found := false
	for pos < v.size {
		n := int(min(int64(max(want, batch.HeaderSize)), v.size-pos))
		buf := getBuffer(n)
		if err := readFull(file, *buf, pos); err != nil {
			putBuffer(buf)
			return Slice{}, l.readError(v.seg, pos, err)
		}
		have := *buf
		if !found {
			skipped, err := skipTo(have, offset)
			if err != nil {
				putBuffer(buf)
				return Slice{}, l.badFrame(v.seg, pos+int64(skipped), err)
			}
			pos += int64(skipped)
			have = have[min(skipped, len(have)):]
			found = len(have) >= batch.HeaderSize
			if !found { // the batch is beyond what was read
				putBuffer(buf)
				if pos >= v.size {
					return Slice{}, nil
				}
				if v.size-pos < batch.HeaderSize {
					return Slice{}, l.badBatch(v.seg, pos, "a batch header", fmt.Sprintf("%d bytes", v.size-pos))
				}
				continue
			}
		}
		size, err := batch.Size(have)
		if err == nil && int64(size) > v.size-pos {
			err = batch.ErrShort
		}
		if err != nil {
			putBuffer(buf)
			return Slice{}, l.badFrame(v.seg, pos, err)
		}
		if size > maxBytes && !minOne {
			return Slice{Bytes: have[:0:0], buffer: buf}, nil
		}
		if size > len(have) { // one batch larger than maxBytes
			putBuffer(buf)
			want = size
			continue
		}
		end, err := takeBatches(have, max(maxBytes, size), limit, v.trusted-pos)
		if err != nil {
			putBuffer(buf)
			return Slice{}, l.badFrame(v.seg, pos+int64(end), err)
		}
		return Slice{Bytes: have[:end:end], buffer: buf}, nil
	}
	return Slice{}, nil
}

// readSlack is read beyond what was asked for, to make up for the distance between index entries.
const readSlack = 4096

// skipTo returns how many bytes of b are batches that end before offset; it stops early at the end of b.
func skipTo(b []byte, offset int64) (int, error) {
	at := 0
	for len(b)-at >= batch.HeaderSize {
		size, err := batch.Size(b[at:])
		if err != nil {
			return at, err
		}
		if batch.Batch(b[at:at+batch.HeaderSize]).LastOffset() >= offset {
			return at, nil
		}
		at += size // perhaps beyond b
	}
	return at, nil
}

// takeBatches returns how many bytes of b are whole batches below limit, at most max bytes. Those below position check
// are compared with their CRC.
func takeBatches(b []byte, maxBytes int, limit, check int64) (int, error) {
	at, next := 0, int64(0)
	for at < len(b) {
		f, _, err := batch.Frame(b[at:])
		if errors.Is(err, batch.ErrShort) {
			break
		}
		if err == nil && int64(at) < check {
			err = f.CheckCRC()
		}
		if err == nil && f.BaseOffset() < next { // not covered by the CRC
			err = &batch.FormatError{Kind: batch.ErrRecords, Expected: fmt.Sprintf("offset %d or above", next),
				Found: fmt.Sprint(f.BaseOffset())}
		}
		if err != nil {
			return at, err
		}
		if at+len(f) > maxBytes || f.NextOffset() > limit {
			break
		}
		next = f.NextOffset()
		at += len(f)
	}
	return at, nil
}
