package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"millrace/connectors"
)

// A follower reads the lines of the file at a path while it grows, is truncated, or is renamed and replaced.
//
// Invariant: position + bytes of s.chunk + s.n is where f is read next.
type follower struct {
	path    string
	allowed Allowed
	log     connectors.Logger
	s       splitter

	f        *os.File
	stream   bool  // not a regular file: no positions, no rotation
	position int64 // the byte after the last line returned
	left     *tail // an unterminated last line of a file that is complete
	atEnd    bool  // the last read found nothing more
	replaced bool  // another file with data is at path; f is read once more before it
	missing  bool  // the file was missing, and that was logged
}

// A tail is a last line without a terminator.
type tail struct {
	line string
	end  int64
}

func newFollower(path string, position int64, allowed Allowed, log connectors.Logger) *follower {
	return &follower{path: path, allowed: allowed, position: position, log: log.With("file", path)}
}

func (l *follower) next() (string, int64, bool) {
	if line, size, ok := l.s.next(); ok {
		l.position += int64(size)
		return line, l.position, true
	}
	if t := l.left; t != nil {
		l.left = nil
		return t.line, t.end, true
	}
	return "", 0, false
}

func (l *follower) more(ctx context.Context, d time.Duration) (bool, error) {
	found, err := l.step(d)
	if found || err != nil {
		return found, err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return false, nil
}

// step does the next thing: open, read, or look at what became of the file.
func (l *follower) step(d time.Duration) (bool, error) {
	if l.f == nil {
		if opened, err := l.open(); !opened || err != nil {
			return false, err
		}
	}
	if l.stream {
		return l.readStream(d)
	}
	if l.atEnd {
		same, grown, err := l.verify()
		if !same || err != nil {
			return l.left != nil, err
		}
		if !grown { // what comes from here on is looked at before it is read
			return l.checkReplaced()
		}
	}
	err := l.s.fill(l.f)
	switch {
	case err == nil:
		l.atEnd, l.replaced = false, false
		return true, nil
	case !errors.Is(err, io.EOF):
		return false, fmt.Errorf("read %s: %w", l.path, err)
	}
	l.atEnd = true
	return l.checkReplaced()
}

// open opens the file where reading goes on; opened is false while there is none.
func (l *follower) open() (opened bool, err error) {
	if err := l.allowed.check(l.path); err != nil { // again: what is at the path may be another file now
		return false, err
	}
	f, err := openFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		if !l.missing {
			l.missing = true
			l.log.Warn("file does not exist yet; waiting for it")
		}
		return false, nil
	}
	if err != nil {
		return false, err
	}
	l.missing = false
	info, err := f.Stat()
	if err != nil {
		return false, errors.Join(err, f.Close())
	}
	if info.IsDir() {
		f.Close()
		return false, &connectors.ConfigError{Msg: fmt.Sprintf("file: %s is a directory; it must be a file", l.path)}
	}
	l.f, l.stream, l.atEnd, l.replaced = f, !info.Mode().IsRegular(), false, false
	if l.stream || l.position == 0 {
		return true, nil
	}
	return true, l.resume(info)
}

// openFile does not wait for the writer of a named pipe.
func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// readStream reads a pipe or device, waiting for d.
func (l *follower) readStream(d time.Duration) (bool, error) {
	// Devices without deadlines do not make readers wait.
	_ = l.f.SetReadDeadline(time.Now().Add(d))
	switch err := l.s.fill(l.f); {
	case err == nil:
		return true, nil
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.EOF):
		return false, nil
	default:
		return false, fmt.Errorf("read %s: %w", l.path, err)
	}
}

// readPosition is where f is read next.
func (l *follower) readPosition() int64 {
	return l.position + int64(len(l.s.chunk)) + int64(l.s.n)
}

// verify looks, after a quiet time, whether the open file still is what was read of it, and whether there is more of it. If
// it was truncated, reading starts again at its beginning.
func (l *follower) verify() (same, grown bool, err error) {
	info, err := l.f.Stat()
	if err != nil {
		return false, false, err
	}
	at := l.readPosition()
	if info.Size() == at {
		return true, false, nil
	}
	if info.Size() > at {
		seen := l.s.last[:l.s.lastN]
		now := make([]byte, len(seen))
		if _, err := l.f.ReadAt(now, at-int64(len(seen))); err != nil && !errors.Is(err, io.EOF) {
			return false, false, err
		}
		if bytes.Equal(now, seen) {
			return true, true, nil
		}
	}
	l.log.Warn("file was truncated; reading it from its beginning", "position", l.position, "size", info.Size())
	l.finish()
	_, err = l.f.Seek(0, io.SeekStart)
	return false, false, err
}

// checkReplaced follows a rotation once the old file is read to its end. The writer may have written to the old file after
// the new one appeared, so f gets one more read after the new one was seen with data: it is closed at the second call in a row.
func (l *follower) checkReplaced() (bool, error) {
	at, err := os.Stat(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // renamed; its writer may still have it open
	}
	if err != nil {
		return false, err
	}
	open, err := l.f.Stat()
	if err != nil {
		return false, err
	}
	if os.SameFile(at, open) || at.Size() == 0 && at.Mode().IsRegular() {
		l.replaced = false
		return false, nil
	}
	if !l.replaced {
		l.replaced = true
		return false, nil
	}
	l.log.Info("file was rotated; reading the new one", "position", l.readPosition())
	l.finish()
	err = l.f.Close()
	l.f = nil
	return l.left != nil, err
}

// finish ends the file that was read: its unterminated last line becomes a line.
func (l *follower) finish() {
	if line, size, ok := l.s.rest(); ok {
		l.left = &tail{line, l.position + int64(size)}
	}
	l.s.reset()
	l.position = 0
	l.atEnd, l.replaced = false, false
}

func (l *follower) close() error {
	if l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}
