package commitlog

import (
	"errors"
	"fmt"
	"io"

	"millrace/broker/batch"
	"millrace/broker/internal/vfs"
)

// walkChunk is how much a walk reads at a time.
const walkChunk = 256 << 10

// frame is one batch found by a walk, and where it is. Valid until the next one.
type frame struct {
	batch.Batch
	pos int64
}

// errStopWalk ends a walk early without being an error of it.
var errStopWalk = errors.New("stop")

// walk calls fn with each batch of the segment from pos up to size, checked by CRC if check is set. It returns the
// position it came to: size, or that of the first bytes that are not a batch, with a *CorruptError then. An error of fn
// ends it; errStopWalk does so quietly.
func (l *Log) walk(s *segment, pos, size int64, check bool, fn func(frame) error) (int64, error) {
	file, err := s.file.acquire()
	if err != nil {
		return pos, err
	}
	defer s.file.release()
	buf := getBuffer(walkChunk)
	defer func() { putBuffer(buf) }()
	var have []byte // bytes read at pos and not yet walked
	for pos < size {
		b, _, err := batch.Frame(have)
		if errors.Is(err, batch.ErrShort) {
			need := batch.HeaderSize
			if n, err := batch.Size(have); err == nil {
				need = n
			}
			if int64(need) > size-pos {
				return pos, l.badBatch(s, pos, fmt.Sprintf("a batch of at least %d bytes", need),
					fmt.Sprintf("%d bytes to the end of the segment", size-pos))
			}
			if need > len(*buf) {
				putBuffer(buf)
				buf = getBuffer(need)
			}
			n := int(min(int64(cap(*buf)), size-pos))
			*buf = (*buf)[:n]
			if err := readFull(file, *buf, pos); err != nil {
				return pos, l.readError(s, pos, err)
			}
			have = *buf
			continue
		}
		if err == nil && check {
			err = b.CheckCRC()
		}
		if err == nil && b.LastOffsetDelta() < 0 {
			err = &batch.FormatError{Kind: batch.ErrRecords, Expected: "a last offset delta of at least 0",
				Found: fmt.Sprint(b.LastOffsetDelta())}
		}
		if err != nil {
			return pos, l.badFrame(s, pos, err)
		}
		if err := fn(frame{b, pos}); err != nil {
			if errors.Is(err, errStopWalk) {
				err = nil
			}
			return pos, err
		}
		have = have[len(b):]
		pos += int64(len(b))
	}
	return pos, nil
}

func readFull(f vfs.File, b []byte, pos int64) error {
	n, err := f.ReadAt(b, pos)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (l *Log) readError(s *segment, pos int64, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return l.badBatch(s, pos, "more bytes", "the end of the file")
	}
	return fmt.Errorf("read %s at %d: %w: %w", s.file.path, pos, ErrStorage, err)
}

func (l *Log) badBatch(s *segment, pos int64, expected, found string) error {
	return &CorruptError{File: s.file.path, Position: pos, Offset: -1, Expected: expected, Found: found}
}

func (l *Log) badFrame(s *segment, pos int64, err error) error {
	if f, ok := errors.AsType[*batch.FormatError](err); ok {
		what := map[error]string{batch.ErrCRC: "CRC ", batch.ErrMagic: "magic ", batch.ErrLength: "batch length "}[f.Kind]
		return l.badBatch(s, pos, what+f.Expected, f.Found)
	}
	return l.badBatch(s, pos, "a record batch", err.Error())
}
