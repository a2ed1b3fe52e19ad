package rest

import (
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// recheckAfter is how long files are taken as unchanged.
const recheckAfter = time.Second

// A fresh value comes from files and is read again when one of them has changed. While they cannot be read the last value stays.
type fresh[T any] struct {
	what string
	log  *slog.Logger
	// load returns the value and the files that it came from, these also with an error.
	load func() (T, []string, error)

	mu     sync.Mutex
	value  T
	files  []string
	stamps []stamp
	looked time.Time
}

type stamp struct {
	changed time.Time
	size    int64
}

func newFresh[T any](what string, log *slog.Logger, load func() (T, []string, error)) (*fresh[T], error) {
	f := &fresh[T]{what: what, log: log, load: load, looked: time.Now()}
	var err error
	f.value, f.files, err = load()
	f.stamps = stamps(f.files)
	return f, err
}

func stamps(files []string) []stamp {
	list := make([]stamp, len(files))
	for i, path := range files {
		if info, err := os.Stat(path); err == nil { // no stamp for a file that is away: it is read when it is back
			list[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return list
}

func (f *fresh[T]) get() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if now.Sub(f.looked) < recheckAfter {
		return f.value
	}
	f.looked = now
	seen := stamps(f.files)
	if slices.Equal(seen, f.stamps) {
		return f.value
	}
	f.stamps = seen
	value, files, err := f.load()
	if err != nil {
		f.log.Warn("changed files cannot be used; the former ones stay in use", "what", f.what, "files", f.files, "err", err)
		return f.value
	}
	f.log.Info("changed files are in use", "what", f.what, "files", files)
	if !slices.Equal(files, f.files) {
		f.files, f.stamps = files, stamps(files)
	}
	f.value = value
	return value
}
