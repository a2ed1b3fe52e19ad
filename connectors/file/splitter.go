package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	chunkSize = 256 << 10
	maxLine   = 64 << 20
	// checkSize is how many bytes before the read position are remembered, to recognise the file by.
	checkSize = 64
)

// A splitter turns bytes into lines. It converts a chunk of whole lines to one string and hands out pieces of it, so
// that a line costs no allocation of its own.
type splitter struct {
	buf   []byte // buf[:n] is read, but its line has no end yet
	n     int
	chunk string // whole lines that next has not returned yet
	cr    bool   // chunk has a \r
	valid bool   // chunk is valid UTF-8
	last  [checkSize]byte
	lastN int // last[:lastN] are the last bytes read
}

// fill reads once from r. It is called when next has nothing more. At the end of the file it returns io.EOF.
func (s *splitter) fill(r io.Reader) error {
	if s.n == len(s.buf) {
		if len(s.buf) >= maxLine {
			return fmt.Errorf("a line is longer than %d MiB", maxLine>>20)
		}
		grown := make([]byte, max(chunkSize, 2*len(s.buf)))
		copy(grown, s.buf[:s.n])
		s.buf = grown
	}
	m, err := r.Read(s.buf[s.n:])
	if m == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return err
	}
	s.remember(s.buf[s.n : s.n+m])
	old := s.n
	s.n += m
	s.cut(old)
	if errors.Is(err, io.EOF) {
		err = nil // it comes again
	}
	return err
}

// cut moves the whole lines of buf to chunk. Of buf[:scanned] it is known that no line ends there, but for a \r at its end.
func (s *splitter) cut(scanned int) {
	from := max(0, scanned-1)
	data := s.buf[from:s.n]
	s.cr = bytes.IndexByte(data, '\r') >= 0
	end := bytes.LastIndexByte(data, '\n')
	if s.cr {
		// A \r at the very end may be the first half of \r\n: it waits.
		end = max(end, bytes.LastIndexByte(data[:len(data)-1], '\r'))
	}
	if end < 0 {
		return
	}
	end += from + 1
	s.chunk = string(s.buf[:end])
	s.valid = utf8.ValidString(s.chunk)
	s.n = copy(s.buf, s.buf[end:s.n])
	if len(s.buf) > 4*chunkSize && s.n < chunkSize {
		s.buf = append(make([]byte, 0, chunkSize), s.buf[:s.n]...)[:chunkSize]
	}
}

// next returns the next line without its terminator, and the bytes it took with it.
func (s *splitter) next() (line string, size int, ok bool) {
	if s.chunk == "" {
		return "", 0, false
	}
	end := strings.IndexByte(s.chunk, '\n')
	size = end + 1
	if s.cr {
		head := s.chunk
		if end >= 0 {
			head = s.chunk[:end]
		}
		if i := strings.IndexByte(head, '\r'); i >= 0 {
			end, size = i, i+1
			if size < len(s.chunk) && s.chunk[size] == '\n' {
				size++
			}
		}
	}
	line = s.chunk[:end]
	s.chunk = s.chunk[size:]
	if !s.valid {
		line = validText(line)
	}
	return line, size, true
}

// rest takes the unterminated line.
func (s *splitter) rest() (line string, size int, ok bool) {
	if s.n == 0 {
		return "", 0, false
	}
	size = s.n
	line = validText(strings.TrimSuffix(string(s.buf[:size]), "\r"))
	s.n = 0
	return line, size, true
}

// reset forgets everything read.
func (s *splitter) reset() {
	s.n, s.chunk, s.lastN = 0, "", 0
}

func (s *splitter) remember(b []byte) {
	if len(b) >= checkSize {
		s.lastN = copy(s.last[:], b[len(b)-checkSize:])
		return
	}
	keep := min(s.lastN, checkSize-len(b))
	copy(s.last[:], s.last[s.lastN-keep:s.lastN])
	s.lastN = keep + copy(s.last[keep:], b)
}

// validText replaces each byte that is not UTF-8 by U+FFFD.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
