package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"millrace/cmd/internal/proc"
)

// changes measures how long changes of a connector take, from the request until the status shows them.
func (b *bench) changes(ctx context.Context) error {
	w, stop, err := b.start(ctx)
	if err != nil {
		return err
	}
	defer stop()
	file := filepath.Join(b.dir, "changes.txt")
	if err := os.WriteFile(file, []byte("a line\n"), 0o600); err != nil {
		return err
	}
	const name, path = "changes", "/connectors/changes"
	steps := []struct{ what, method, path, state string }{
		{"create", http.MethodPost, "", "RUNNING"},
		{"pause", http.MethodPut, path + "/pause", "PAUSED"},
		{"resume", http.MethodPut, path + "/resume", "RUNNING"},
		{"restart of its task, which answers when it is done", http.MethodPost, path + "/tasks/0/restart", "RUNNING"},
		{"delete", http.MethodDelete, path, ""},
	}
	took := make([][]time.Duration, len(steps))
	for range b.runs {
		for i, s := range steps {
			begin := time.Now()
			if s.path == "" {
				err = w.Create(ctx, name, map[string]string{"connector.class": "FileStreamSource", "file": file, "topic": name})
			} else {
				_, err = w.Do(ctx, s.method, s.path, nil)
			}
			if err == nil {
				err = awaitState(ctx, w, path, s.state)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", s.what, err)
			}
			took[i] = append(took[i], time.Since(begin))
		}
	}
	for i, s := range steps {
		slices.Sort(took[i])
		b.add(row{name: "connector: " + s.what, rate: fmt.Sprintf("%.1f ms", took[i][len(took[i])/2].Seconds()*1000)})
	}
	return nil
}

// awaitState asks until connector and task have the state; "" is until there is no status any more.
func awaitState(ctx context.Context, w *proc.Worker, path, state string) error {
	for ctx.Err() == nil {
		answer, err := w.Do(ctx, http.MethodGet, path+"/status", nil)
		if err != nil {
			if state == "" {
				return nil
			}
			continue // not there yet
		}
		var st struct {
			Connector struct{ State string }
			Tasks     []struct{ State string }
		}
		if err := json.Unmarshal(answer, &st); err != nil {
			return err
		}
		if st.Connector.State == state && len(st.Tasks) == 1 && st.Tasks[0].State == state {
			return nil
		}
	}
	return context.Cause(ctx)
}
