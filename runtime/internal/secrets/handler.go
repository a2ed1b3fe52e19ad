package secrets

import (
	"context"
	"fmt"
	"log/slog"
)

// Handler returns a handler that removes secrets from what it passes on to next. current is asked for each record, since
// secrets change.
func Handler(next slog.Handler, current func() *Scrubber) slog.Handler {
	return &handler{next, current}
}

type handler struct {
	next    slog.Handler
	current func() *Scrubber
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	s := h.current()
	if s == nil || len(s.values) == 0 {
		return h.next.Handle(ctx, r)
	}
	clean := slog.NewRecord(r.Time, r.Level, s.Text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(s.attr(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	s := h.current()
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = s.attr(a)
	}
	return &handler{h.next.WithAttrs(clean), h.current}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.next.WithGroup(name), h.current}
}

// attr keeps the type of what has no secret in it.
func (s *Scrubber) attr(a slog.Attr) slog.Attr {
	if s == nil {
		return a
	}
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(s.Text(v.String()))
	case slog.KindGroup:
		var clean []slog.Attr
		for _, inner := range v.Group() {
			clean = append(clean, s.attr(inner))
		}
		a.Value = slog.GroupValue(clean...)
	case slog.KindAny:
		text := fmt.Sprintf("%+v", v.Any())
		if clean := s.Text(text); clean != text {
			a.Value = slog.StringValue(clean)
		}
	}
	return a
}
