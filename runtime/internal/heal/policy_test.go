package heal_test

import (
	"strings"
	"testing"
	"time"

	"millrace/runtime/internal/heal"
)

func TestParse(t *testing.T) {
	worker := map[string]string{heal.KeyBackoff: "6000", heal.KeyAttempts: "3"}
	p, err := heal.Parse(map[string]string{heal.KeyAttempts: "4"}, worker)
	want := heal.Policy{Restarts: true, First: 6 * time.Second, Max: 5 * time.Minute, Attempts: 4, Reset: 10 * time.Minute}
	if err != nil || p != want {
		t.Errorf("Parse = %+v, %v, want %+v", p, err, want)
	}
	if p, err := heal.Parse(map[string]string{heal.KeyPolicy: "none"}, nil); err != nil || p.Restarts {
		t.Errorf("none: %+v, %v", p, err)
	}
}

func TestParse_names_key_value_and_rule(t *testing.T) {
	for key, value := range map[string]string{
		heal.KeyPolicy: "always", heal.KeyBackoff: "100", heal.KeyBackoffMax: "soon", heal.KeyAttempts: "0", heal.KeyReset: "-1",
	} {
		_, err := heal.Parse(map[string]string{key: value}, nil)
		if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), value) {
			t.Errorf("%s=%s: %v", key, value, err)
		}
	}
}

func TestDelay(t *testing.T) {
	p := heal.Policy{First: 5 * time.Second, Max: time.Minute}
	for i, want := range []time.Duration{5, 10, 20, 40, 60, 60} {
		want *= time.Second
		if got := p.Delay(i+1, 0.5); got != want {
			t.Errorf("restart %d waits %s, want %s", i+1, got, want)
		}
		if low, high := p.Delay(i+1, 0), p.Delay(i+1, 0.999); low < 5*time.Second || low < want*4/5 && low != 5*time.Second || high > want*6/5 {
			t.Errorf("restart %d waits from %s to %s, want %s and a fifth, and 5 s at least", i+1, low, high, want)
		}
	}
	if got := p.Delay(1000, 0.5); got != time.Minute {
		t.Errorf("restart 1000 waits %s", got)
	}
}
