package proc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Create posts a connector.
func (w *Worker) Create(ctx context.Context, name string, config map[string]string) error {
	body, err := json.Marshal(map[string]any{"name": name, "config": config})
	if err != nil {
		return err
	}
	_, err = w.Do(ctx, http.MethodPost, "/connectors", body)
	return err
}

// Running waits until the connector and at least tasks of its tasks are RUNNING.
func (w *Worker) Running(ctx context.Context, name string, tasks int) error {
	type state struct{ State, Trace string }
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var status struct {
			Connector state
			Tasks     []state
		}
		answer, err := w.Do(ctx, http.MethodGet, "/connectors/"+name+"/status", nil)
		if err == nil {
			err = json.Unmarshal(answer, &status)
		}
		running := 0
		for _, t := range status.Tasks {
			if t.State == "RUNNING" {
				running++
			}
			if t.State == "FAILED" {
				return fmt.Errorf("a task of %s failed: %s", name, t.Trace)
			}
		}
		if err == nil && status.Connector.State == "RUNNING" && running >= tasks {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("connector %s is not running: %w (%s, %v)", name, context.Cause(ctx), answer, err)
		}
	}
}

// Do sends a request and returns the answer's body; a status of 400 or more is an error that shows it.
func (w *Worker) Do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+w.REST+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 400 {
		return answer, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	return answer, nil
}
