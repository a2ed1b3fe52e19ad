package loggers

import (
	"context"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"millrace/runtime"
)

// Root is the name of the logger above all others.
const Root = "root"

// maxNames bounds the loggers: setting an unknown one creates it, so anybody who may set levels could fill the memory.
const maxNames = 10_000

// A Registry knows the loggers of a worker.
type Registry struct {
	base slog.Handler

	mu   sync.Mutex
	root *entry
	// named has all loggers but the root.
	named map[string]*entry
}

var _ runtime.LogLevels = (*Registry)(nil)

type entry struct {
	level    slog.LevelVar
	modified *int64 // milliseconds; guarded by Registry.mu
}

// New returns a Registry whose loggers write to base and begin at level. What base itself thinks of levels does not count.
func New(base slog.Handler, level slog.Level) *Registry {
	r := &Registry{base: base, root: new(entry), named: make(map[string]*entry)}
	r.root.level.Set(level)
	return r
}

// Named returns the logger called name and creates it with the level of the nearest logger above it.
func (r *Registry) Named(name string) *slog.Logger {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.find(name)
	if e == nil {
		e = r.create(name)
	}
	h := r.base
	if !isRoot(name) {
		h = h.WithAttrs([]slog.Attr{slog.String("logger", name)})
	}
	return slog.New(handler{h, &e.level})
}

// Loggers returns the loggers that are not off.
func (r *Registry) Loggers(context.Context) (map[string]runtime.LoggerLevel, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]runtime.LoggerLevel, len(r.named)+1)
	for name, e := range r.all() {
		if e.level.Level() != levelOff {
			all[name] = e.info()
		}
	}
	return all, nil
}

// Logger returns the level of the logger called name.
func (r *Registry) Logger(_ context.Context, name string) (runtime.LoggerLevel, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.find(name)
	if e == nil {
		return runtime.LoggerLevel{}, runtime.Errorf(runtime.KindNotFound, "Logger %s not found.", name)
	}
	return e.info(), nil
}

// SetLogger sets the level of a logger and of all below it, creates the logger if there is none of the name, and returns the
// names of those whose level changed, sorted.
func (r *Registry) SetLogger(_ context.Context, name, level string) ([]string, error) {
	wanted, ok := ParseLevel(level)
	if !ok {
		return nil, runtime.Errorf(runtime.KindNotFound, "invalid log level '%s'.", level)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.find(name) == nil {
		if len(r.named) >= maxNames {
			return nil, runtime.Errorf(runtime.KindBadRequest, "Logger %s was not created: there are %d loggers, which is the limit", name, maxNames)
		}
		e := r.create(name)
		e.level.Set(unset)
	}
	now := time.Now().UnixMilli()
	changed := []string{}
	for other, e := range r.all() {
		if below(other, name) && e.level.Level() != wanted {
			e.level.Set(wanted)
			e.modified = &now
			changed = append(changed, other)
		}
	}
	slices.Sort(changed)
	return changed, nil
}

// unset makes the first SetLogger of a logger a change, whatever the level.
const unset = levelOff - 1

func isRoot(name string) bool { return name == "" || strings.EqualFold(name, Root) }

// below reports whether a level set on parent reaches name.
func below(name, parent string) bool {
	return isRoot(parent) || name == parent || strings.HasPrefix(name, parent+".")
}

func (r *Registry) find(name string) *entry {
	if isRoot(name) {
		return r.root
	}
	return r.named[name]
}

func (r *Registry) create(name string) *entry {
	e := new(entry)
	e.level.Set(r.nearest(name).level.Level())
	r.named[name] = e
	return e
}

// nearest returns the closest logger above name.
func (r *Registry) nearest(name string) *entry {
	for {
		i := strings.LastIndexByte(name, '.')
		if i < 0 {
			return r.root
		}
		name = name[:i]
		if e := r.named[name]; e != nil {
			return e
		}
	}
}

func (r *Registry) all() iter.Seq2[string, *entry] {
	return func(yield func(string, *entry) bool) {
		if !yield(Root, r.root) {
			return
		}
		for name, e := range r.named {
			if !yield(name, e) {
				return
			}
		}
	}
}

func (e *entry) info() runtime.LoggerLevel {
	return runtime.LoggerLevel{Level: levelName(e.level.Level()), LastModified: e.modified}
}

// handler lets through what its logger's level lets through.
type handler struct {
	slog.Handler
	level *slog.LevelVar
}

func (h handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs), h.level}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.level}
}
