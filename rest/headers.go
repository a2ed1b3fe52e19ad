package rest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"millrace/connectors"
)

// A headerRule is a part of response.http.headers.config: an action, a header and its value; for the date actions, milliseconds
// after now.
type headerRule struct {
	add   bool
	date  bool
	name  string
	value string
	after time.Duration
}

// parseHeaderRules reads rules like: add X-A: b, "set Cache-Control: no-cache, no-store", setDate Expires: 1000.
func parseHeaderRules(config string) ([]headerRule, error) {
	var rules []headerRule
	for _, text := range splitRules(config) {
		action, header, _ := strings.Cut(strings.TrimSpace(text), " ")
		name, value, colon := strings.Cut(header, ":")
		r := headerRule{name: strings.TrimSpace(name), value: strings.TrimSpace(value)}
		switch strings.ToLower(action) {
		case "set":
		case "add":
			r.add = true
		case "setdate":
			r.date = true
		case "adddate":
			r.add, r.date = true, true
		default:
			return nil, badRule(text, "the action must be set, add, setDate or addDate")
		}
		if !colon || !isToken(r.name) {
			return nil, badRule(text, "a rule has the form: action Name: value")
		}
		if r.date {
			ms, err := strconv.ParseInt(r.value, 10, 64)
			if err != nil {
				return nil, badRule(text, "the value of a date action is a number of milliseconds")
			}
			r.after = time.Duration(ms) * time.Millisecond
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func badRule(rule, reason string) error {
	return connectors.InvalidValue("response.http.headers.config", strings.TrimSpace(rule), fmt.Sprintf("Invalid header rule: %s", reason))
}

// splitRules splits at commas outside of double quotes, which must stand around a whole rule.
func splitRules(config string) []string {
	var rules []string
	var rule strings.Builder
	quoted := false
	flush := func() {
		if strings.TrimSpace(rule.String()) != "" {
			rules = append(rules, rule.String())
		}
		rule.Reset()
	}
	for _, c := range config {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			flush()
		default:
			rule.WriteRune(c)
		}
	}
	flush()
	return rules
}

func applyHeaders(rules []headerRule, h http.Header, now time.Time) {
	for _, r := range rules {
		value := r.value
		if r.date {
			value = now.Add(r.after).UTC().Format(http.TimeFormat)
		}
		if r.add {
			h.Add(r.name, value)
		} else {
			h.Set(r.name, value)
		}
	}
}
