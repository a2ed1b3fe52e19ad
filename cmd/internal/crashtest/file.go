package crashtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const stringConverter = "org.apache.kafka.connect.storage.StringConverter"

// FileFlow goes from a file through a topic into a file, both in dir.
func FileFlow(dir string) (Flow, error) {
	in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.txt")
	input, err := os.OpenFile(in, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return Flow{}, err
	}
	return Flow{
		Name: "file -> topic -> file",
		Connectors: []Connector{
			{"file-source", 1, map[string]string{"connector.class": "FileStreamSource", "file": in, "topic": "crash-file", "value.converter": stringConverter}},
			{"file-sink", 1, map[string]string{"connector.class": "FileStreamSink", "file": out, "topics": "crash-file", "value.converter": stringConverter}},
		},
		Feed: func(_ context.Context, from, to int) error {
			var b bytes.Buffer
			for seq := from; seq < to; seq++ {
				fmt.Fprintln(&b, payload(seq))
			}
			_, err := input.Write(b.Bytes())
			return err
		},
		Collect: func(ctx context.Context, seen func(int)) error { return tail(ctx, out, seen) },
	}, nil
}

// payload is the text of a record: its number, and what makes it about 100 bytes long.
func payload(seq int) string { return fmt.Sprintf("%010d %090d", seq, seq) }

// sequence reads the number of a record.
func sequence(text []byte) (int, error) {
	number, _, _ := bytes.Cut(text, []byte(" "))
	return strconv.Atoi(string(number))
}

// tail follows a growing file line by line.
func tail(ctx context.Context, path string, seen func(int)) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var f *os.File
	for f == nil {
		var err error
		if f, err = os.Open(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	defer f.Close()
	r := bufio.NewReader(f)
	var partial []byte
	for {
		line, err := r.ReadSlice('\n')
		partial = append(partial, line...)
		switch {
		case err == nil:
			// A write that a kill cut short leaves a broken line; its record comes again, on the same line.
			if seq, err := sequence(lastRecord(partial)); err == nil {
				seen(seq)
			}
			partial = partial[:0]
		case errors.Is(err, io.EOF), errors.Is(err, bufio.ErrBufferFull):
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		default:
			return err
		}
	}
}

// lastRecord returns the whole record at the end of a line.
func lastRecord(line []byte) []byte {
	line = bytes.TrimRight(line, "\r\n")
	if n := len(payload(0)); len(line) > n {
		line = line[len(line)-n:]
	}
	return line
}
