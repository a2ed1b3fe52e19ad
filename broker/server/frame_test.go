package server

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

func frameOf(size int32, body ...byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(size)), body...)
}

func TestFrameReader(t *testing.T) {
	metadata := []byte{0, 3, 0, 1, 0, 0, 0, 9, 0xff, 0xff}
	for _, c := range []struct {
		name  string
		in    []byte
		want  string // part of the error, empty for a frame
		isEOF bool
	}{
		{name: "a whole frame", in: frameOf(10, metadata...)},
		{name: "nothing", in: nil, want: "EOF", isEOF: true},
		{name: "size cut", in: []byte{0, 0}, want: "unexpected EOF"},
		{name: "size zero", in: frameOf(0, metadata...), want: "frame of 0 bytes"},
		{name: "size negative", in: frameOf(-5, metadata...), want: "frame of -5 bytes"},
		{name: "size below a header", in: frameOf(9, metadata...), want: "frame of 9 bytes"},
		{name: "size above the maximum", in: frameOf(100<<20+1, metadata...), want: "frame of 104857601 bytes"},
		{name: "large, not produce", in: frameOf(50<<20, metadata...), want: "carries no records (key 3)"},
		{name: "large produce that never comes", in: frameOf(90<<20, 0, 0, 0, 9), want: "unexpected EOF"},
		{name: "body cut", in: frameOf(11, metadata...), want: "unexpected EOF"},
		{name: "HTTP", in: []byte("GET / HTTP/1.1\r\n"), want: "an HTTP request"},
		{name: "TLS", in: []byte{0x16, 3, 1, 2, 0, 1, 0, 1}, want: "a TLS hello"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := frameReader{r: bufio.NewReader(bytes.NewReader(c.in)), max: 100 << 20}
			frame, err := r.next(t.Context())
			switch {
			case c.want == "" && (err != nil || r.pooled || !bytes.Equal(frame, metadata)):
				t.Errorf("got %v %v %v", frame, r.pooled, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			case c.isEOF != (err == io.EOF):
				t.Errorf("got %v", err)
			}
			if wrong, ok := errors.AsType[*errFrame](err); strings.HasPrefix(c.want, "frame") && (!ok || wrong.size > 0 && wrong.size < minFrame-1) {
				t.Errorf("got %#v", err)
			}
		})
	}
}

func TestFrameReaderGrows(t *testing.T) {
	for _, size := range []int{10, 4096, 4097, 1 << 20, 1<<20 + 1, 5 << 20, 20 << 20} {
		body := make([]byte, size)
		for i := range body[4:] {
			body[4+i] = byte(i * 31 >> 3)
		}
		r := frameReader{r: bufio.NewReader(bytes.NewReader(frameOf(int32(size), body...))), max: 100 << 20}
		frame, err := r.next(t.Context())
		if err != nil || !r.pooled || !bytes.Equal(frame, body) {
			t.Fatalf("size %d: %d bytes, pooled %v, %v", size, len(frame), r.pooled, err)
		}
		r.release(frame)
	}
}

func TestFrameSizeClasses(t *testing.T) {
	for _, c := range []struct{ n, class int }{
		{1, 0}, {4096, 0}, {4097, 1}, {16384, 1}, {16385, 2}, {65536, 2}, {65537, 3}, {1 << 20, 4}, {1<<20 + 1, 5},
	} {
		if got := sizeClass(c.n); got != c.class {
			t.Errorf("%d bytes: class %d, want %d", c.n, got, c.class)
		}
		if b := takeFrame(c.n); len(b) != c.n || c.class < frameSizes && cap(b) != 1<<(leastFrame+2*c.class) {
			t.Errorf("%d bytes: got %d of %d", c.n, len(b), cap(b))
		}
	}
}

// FuzzFrameReader: whatever arrives, a frame is never longer than what did, and nothing panics.
func FuzzFrameReader(f *testing.F) {
	f.Add(frameOf(10, 0, 3, 0, 1, 0, 0, 0, 9, 0xff, 0xff))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := frameReader{r: bufio.NewReader(bytes.NewReader(in)), max: 1 << 20}
		total := 0
		for {
			frame, err := r.next(t.Context())
			if err != nil {
				return
			}
			if total += 4 + len(frame); total > len(in) {
				t.Fatalf("%d bytes of frames out of %d", total, len(in))
			}
			r.release(frame)
		}
	})
}
