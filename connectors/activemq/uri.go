package activemq

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An endpoint is one broker address.
type endpoint struct {
	scheme string
	tls    bool
	host   string
	port   int
	query  url.Values
	user   *url.Userinfo
}

func (e endpoint) address() string { return net.JoinHostPort(e.host, strconv.Itoa(e.port)) }

// String is the endpoint without options and credentials, as logs show it.
func (e endpoint) String() string { return e.scheme + "://" + e.address() }

// A failover says where brokers are and how to go on when one is lost: the failover transport's URI, parsed.
type failover struct {
	endpoints       []endpoint
	randomize       bool
	initialDelay    time.Duration
	maxDelay        time.Duration
	exponent        float64 // 1 without exponential back-off
	maxAttempts     int     // rounds after a lost connection; -1 is for ever
	startupAttempts int     // rounds before the first connection; -1 is for ever
	warnAfter       int
	timeout         time.Duration // 0 is none
	priorityBackup  bool
	priority        []string // addresses; empty means the first endpoint
	ignored         []string // options that are known to mean nothing here, or not known
}

// plainSchemes are the transports that carry STOMP over TCP; true means TLS. The Java client's names for OpenWire are
// accepted, since users bring them: what a port speaks shows when it is connected.
var plainSchemes = map[string]bool{
	"tcp": false, "nio": false, "auto": false, "auto+nio": false, "stomp": false, "stomp+nio": false,
	"ssl": true, "nio+ssl": true, "auto+ssl": true, "auto+nio+ssl": true, "stomp+ssl": true, "stomp+nio+ssl": true,
	"tls": true,
}

const acceptedSchemes = "tcp, nio, auto, stomp and ssl (nio+ssl, auto+ssl, stomp+ssl), alone or within failover:(...)"

// parseFailover reads a broker URI, a comma separated list of them, or failover:(uri,...)?options, in any nesting.
func parseFailover(text string) (failover, error) {
	f := failover{
		randomize: true, initialDelay: 10 * time.Millisecond, maxDelay: 30 * time.Second, exponent: 2,
		maxAttempts: -1, startupAttempts: -1, warnAfter: 10,
	}
	if err := f.parse(text, 0); err != nil {
		return failover{}, err
	}
	if len(f.endpoints) == 0 {
		return failover{}, fmt.Errorf("there is no broker URI in it")
	}
	if f.maxDelay < f.initialDelay {
		f.maxDelay = f.initialDelay
	}
	return f, nil
}

// maxNesting bounds composite URIs within each other.
const maxNesting = 8

func (f *failover) parse(text string, depth int) error {
	if depth > maxNesting {
		return fmt.Errorf("failover: is nested more than %d deep", maxNesting)
	}
	parts, err := splitComponents(text)
	if err != nil {
		return err
	}
	for _, part := range parts {
		part = strings.TrimSpace(part)
		scheme, rest, ok := strings.Cut(part, ":")
		switch scheme := strings.ToLower(strings.TrimSpace(scheme)); {
		case !ok:
			return fmt.Errorf("%q has no scheme; write tcp://%s", part, part)
		case scheme == "failover" || scheme == "static":
			if err := f.composite(rest, depth); err != nil {
				return err
			}
		default:
			e, err := parseEndpoint(scheme, part)
			if err != nil {
				return err
			}
			f.endpoints = append(f.endpoints, e)
		}
	}
	return nil
}

// composite reads what follows failover: — a list in parentheses with options after it, or a bare list.
func (f *failover) composite(rest string, depth int) error {
	rest = strings.TrimSpace(rest)
	if inner, ok := strings.CutPrefix(rest, "//"); ok {
		rest = strings.TrimSpace(inner)
	}
	first := len(f.endpoints)
	options := ""
	if strings.HasPrefix(rest, "(") {
		end := closing(rest)
		if end < 0 {
			return fmt.Errorf("%q: a parenthesis is not closed", rest)
		}
		options = strings.TrimSpace(rest[end+1:])
		if options != "" && options[0] != '?' {
			return fmt.Errorf("%q stands after the closing parenthesis; options start with ?", options)
		}
		options = strings.TrimPrefix(options, "?")
		rest = rest[1:end]
	}
	if err := f.parse(rest, depth+1); err != nil {
		return err
	}
	query, err := url.ParseQuery(options)
	if err != nil {
		return fmt.Errorf("options %q: %w", options, err)
	}
	// Without parentheses the options are the last broker's; those of failover are meant for failover.
	if options == "" && len(f.endpoints) > first {
		last := f.endpoints[len(f.endpoints)-1].query
		for name := range last {
			if _, ok := failoverOptions[name]; ok {
				query[name] = last[name]
				delete(last, name)
			}
		}
	}
	return f.apply(query, f.endpoints[first:])
}

// apply sets the options in query; nested.x=y is option x of every endpoint.
func (f *failover) apply(query url.Values, endpoints []endpoint) error {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		value := query.Get(name)
		if inner, ok := strings.CutPrefix(name, "nested."); ok {
			for _, e := range endpoints {
				e.query.Set(inner, value)
			}
			continue
		}
		set, ok := failoverOptions[name]
		if !ok || set == nil {
			f.ignored = append(f.ignored, name)
			continue
		}
		if err := set(f, value); err != nil {
			return fmt.Errorf("option %s=%s: %w", name, value, err)
		}
	}
	return nil
}

// failoverOptions sets the failover transport's options by name; nil are those without a meaning for STOMP.
var failoverOptions = map[string]func(*failover, string) error{
	"randomize":              func(f *failover, v string) error { return setBool(&f.randomize, v) },
	"initialReconnectDelay":  func(f *failover, v string) error { return setMillis(&f.initialDelay, v) },
	"maxReconnectDelay":      func(f *failover, v string) error { return setMillis(&f.maxDelay, v) },
	"useExponentialBackOff":  setExponential,
	"reconnectDelayExponent": setExponent,
	"backOffMultiplier":      setExponent,
	"maxReconnectAttempts":   func(f *failover, v string) error { return setInt(&f.maxAttempts, v) },
	"startupMaxReconnectAttempts": func(f *failover, v string) error {
		return setInt(&f.startupAttempts, v)
	},
	"warnAfterReconnectAttempts": func(f *failover, v string) error { return setInt(&f.warnAfter, v) },
	"timeout":                    setTimeout,
	"priorityBackup":             func(f *failover, v string) error { return setBool(&f.priorityBackup, v) },
	"priorityURIs":               setPriority,
	"backup":                     nil, "backupPoolSize": nil, "updateURIsSupported": nil, "updateURIsURL": nil,
	"rebalanceUpdateURIs": nil, "trackMessages": nil, "maxCacheSize": nil, "trackTransactionProducers": nil,
}

func setBool(to *bool, v string) (err error) {
	switch strings.ToLower(v) {
	case "true":
		*to = true
	case "false":
		*to = false
	default:
		err = fmt.Errorf("must be true or false")
	}
	return err
}

func setInt(to *int, v string) error {
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil || n < -1 {
		return fmt.Errorf("must be a number, -1 for no limit")
	}
	*to = int(n)
	return nil
}

func setMillis(to *time.Duration, v string) error {
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil || n < 0 {
		return fmt.Errorf("must be a number of milliseconds")
	}
	*to = time.Duration(n) * time.Millisecond
	return nil
}

func setTimeout(f *failover, v string) error {
	if v == "-1" {
		f.timeout = 0
		return nil
	}
	return setMillis(&f.timeout, v)
}

func setExponential(f *failover, v string) error {
	exponential := true
	err := setBool(&exponential, v)
	if err == nil && !exponential {
		f.exponent = 1
	}
	return err
}

func setExponent(f *failover, v string) error {
	x, err := strconv.ParseFloat(v, 64)
	if err != nil || !(x >= 1 && x <= 100) {
		return fmt.Errorf("must be a number from 1 to 100")
	}
	if f.exponent != 1 {
		f.exponent = x
	}
	return nil
}

func setPriority(f *failover, v string) error {
	for part := range strings.SplitSeq(v, ",") {
		part = strings.TrimSpace(part)
		scheme, _, _ := strings.Cut(part, ":")
		e, err := parseEndpoint(strings.ToLower(scheme), part)
		if err != nil {
			return err
		}
		f.priority = append(f.priority, e.address())
	}
	return nil
}

// preferred reports whether priorityBackup wants to be connected to e.
func (f *failover) preferred(e endpoint) bool {
	if len(f.priority) == 0 {
		return e.address() == f.endpoints[0].address()
	}
	return slices.Contains(f.priority, e.address())
}

func parseEndpoint(scheme, text string) (endpoint, error) {
	secure, ok := plainSchemes[scheme]
	if !ok {
		return endpoint{}, fmt.Errorf("scheme %q is not supported; accepted are %s", scheme, acceptedSchemes)
	}
	u, err := url.Parse(text)
	if err != nil {
		return endpoint{}, fmt.Errorf("not a URI: %w", redact(err))
	}
	if u.Hostname() == "" {
		return endpoint{}, fmt.Errorf("%s: a broker URI needs a host: %s://host:port", scheme, scheme)
	}
	e := endpoint{scheme: scheme, tls: secure, host: u.Hostname(), port: 61613, user: u.User}
	if secure {
		e.port = 61612
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return endpoint{}, fmt.Errorf("port %s of host %s must be between 1 and 65535", p, e.host)
		}
		e.port = int(n)
	}
	if e.query, err = url.ParseQuery(u.RawQuery); err != nil {
		return endpoint{}, fmt.Errorf("options of %s: %w", e, err)
	}
	return e, nil
}

// redact drops the text of the URI, which may hold a password, from a parse error.
func redact(err error) error {
	if e, ok := err.(*url.Error); ok { //nolint:errorlint // url.Parse returns it bare
		return e.Err
	}
	return err
}

// splitComponents splits at the commas outside of parentheses. Empty components are dropped.
func splitComponents(text string) ([]string, error) {
	var parts []string
	depth, start := 0, 0
	add := func(s string) {
		if strings.TrimSpace(s) != "" {
			parts = append(parts, s)
		}
	}
	for i := range len(text) {
		switch text[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				add(text[start:i])
				start = i + 1
			}
		}
		if depth < 0 {
			return nil, fmt.Errorf("a closing parenthesis has no opening one")
		}
	}
	if depth != 0 {
		return nil, fmt.Errorf("a parenthesis is not closed")
	}
	add(text[start:])
	return parts, nil
}

// closing returns the index of the parenthesis that closes the one at index 0, -1 if there is none.
func closing(text string) int {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// prefetch returns the prefetch that the URI's options ask for, 0 if they do not.
func (f *failover) prefetch(topic bool) int {
	specific := "jms.prefetchPolicy.queuePrefetch"
	if topic {
		specific = "jms.prefetchPolicy.topicPrefetch"
	}
	for _, e := range f.endpoints {
		for _, name := range []string{specific, "jms.prefetchPolicy.all"} {
			if n, err := strconv.Atoi(e.query.Get(name)); err == nil && n > 0 && n <= maxPrefetch {
				return n
			}
		}
	}
	return 0
}
