package file

import "io"

// SetStdin makes r the standard input of tasks started later.
func SetStdin(r io.Reader) (restore func()) {
	old := stdin
	stdin = &pump{r: r, chunks: make(chan []byte), failed: make(chan struct{})}
	return func() { stdin = old }
}

// Lines splits data, read in pieces of size, and returns the lines, the bytes they took and the unterminated rest.
func Lines(data []byte, size int) (lines []string, taken int, rest string) {
	var s splitter
	for len(data) > 0 {
		piece := data[:min(size, len(data))]
		data = data[len(piece):]
		for r := (&once{piece}); len(r.b) > 0; {
			if err := s.fill(r); err != nil {
				panic(err)
			}
			for {
				line, n, ok := s.next()
				if !ok {
					break
				}
				lines, taken = append(lines, line), taken+n
			}
		}
	}
	rest, _, _ = s.rest()
	return lines, taken, rest
}

type once struct{ b []byte }

func (o *once) Read(p []byte) (int, error) {
	n := copy(p, o.b)
	o.b = o.b[n:]
	return n, nil
}
