package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// resume sets the open file to the stored position. The position is all that is known from before: if the file is too short
// for it, or no line ends there, a rotated sibling where it fits is finished first; reading then moves on to the file as
// after any rotation.
func (l *follower) resume(info fs.FileInfo) error {
	fits := info.Size() >= l.position
	if fits && endsLine(l.f, l.position) {
		return l.seek()
	}
	sibling, err := l.rotated(info)
	if err != nil {
		return err
	}
	switch {
	case sibling != nil:
		l.log.Info("file was rotated while it was not read; finishing the old one", "old", sibling.Name(),
			"position", l.position)
		err = l.f.Close()
		l.f = sibling
		return errors.Join(err, l.seek())
	case fits:
		return l.seek() // in the middle of a line: somebody set it so
	}
	l.log.Warn("file is shorter than the position; reading it from its beginning", "position", l.position,
		"size", info.Size())
	l.position = 0
	return nil
}

func (l *follower) seek() error {
	_, err := l.f.Seek(l.position, io.SeekStart)
	if err != nil {
		return fmt.Errorf("seek %s: %w", l.path, err)
	}
	return nil
}

// rotated returns the youngest file beside path, named as log rotation names them, that has a line ending at the position.
func (l *follower) rotated(current fs.FileInfo) (*os.File, error) {
	dir, base := filepath.Split(l.path)
	if dir == "" {
		dir = "."
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var best *os.File
	var youngest time.Time
	for _, e := range entries {
		suffix, ok := strings.CutPrefix(e.Name(), base)
		if !ok || suffix == "" || suffix[0] != '.' && suffix[0] != '-' || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil || os.SameFile(info, current) || info.Size() < l.position || !info.ModTime().After(youngest) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if l.allowed.check(path) != nil {
			continue
		}
		f, err := openFile(path)
		if err != nil {
			continue
		}
		if !endsLine(f, l.position) {
			f.Close()
			continue
		}
		if best != nil {
			best.Close()
		}
		best, youngest = f, info.ModTime()
	}
	return best, nil
}

// endsLine reports whether a line ends at position.
func endsLine(f *os.File, position int64) bool {
	var b [1]byte
	if _, err := f.ReadAt(b[:], position-1); err != nil {
		return false
	}
	return b[0] == '\n' || b[0] == '\r'
}
