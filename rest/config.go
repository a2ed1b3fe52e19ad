package rest

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"millrace/connectors"
)

// DefaultListener is where REST listens unless told otherwise: unlike Connect's, on the loopback address only.
const DefaultListener = "http://127.0.0.1:8083"

// Config is the configuration of a Server. The zero value listens on DefaultListener.
type Config struct {
	// Listeners are addresses like http://host:port; an empty host is all interfaces.
	Listeners []string
	// AdminListeners serve /admin instead of Listeners: nil means Listeners do, empty means nobody does.
	AdminListeners []string
	// AllowOrigins are regular expressions of origins that browsers may call from, or *; none turns CORS off. AllowMethods is
	// the answer to a preflight request, by default GET, POST and HEAD.
	AllowOrigins, AllowMethods []string
	// ResponseHeaders has the rules of response.http.headers.config.
	ResponseHeaders string
	// RequestTimeout bounds a call to the Herder; zero means 90 s.
	RequestTimeout time.Duration
	// MaxBody bounds the body of a request; zero means 8 MiB.
	MaxBody int64
	// SignatureAlgorithms are those accepted for requests between workers; none means HmacSHA256.
	SignatureAlgorithms []string
}

var keys = connectors.NewConfigDef(
	connectors.ConfigKey{Name: "listeners", Type: connectors.ConfigList, Default: []string{DefaultListener}},
	connectors.ConfigKey{Name: "admin.listeners", Type: connectors.ConfigList},
	connectors.ConfigKey{Name: "access.control.allow.origin", Type: connectors.ConfigList, Default: []string{}},
	connectors.ConfigKey{Name: "access.control.allow.methods", Type: connectors.ConfigList, Default: []string{}},
	connectors.ConfigKey{Name: "response.http.headers.config", Type: connectors.ConfigString, Default: ""},
	connectors.ConfigKey{Name: "inter.worker.verification.algorithms", Type: connectors.ConfigList, Default: []string{"HmacSHA256"}},
)

// ParseConfig reads the keys of a worker's properties that concern REST; the others are ignored.
func ParseConfig(properties map[string]string) (Config, error) {
	v, err := keys.Parse(connectors.Raw(properties))
	if err != nil {
		return Config{}, err
	}
	c := Config{
		Listeners:           v.List("listeners"),
		AdminListeners:      v.List("admin.listeners"),
		AllowOrigins:        v.List("access.control.allow.origin"),
		AllowMethods:        v.List("access.control.allow.methods"),
		ResponseHeaders:     v.String("response.http.headers.config"),
		SignatureAlgorithms: v.List("inter.worker.verification.algorithms"),
	}
	if len(c.Listeners) == 0 {
		return Config{}, connectors.InvalidValue("listeners", "", "at least one address like "+DefaultListener+" is needed")
	}
	_, err = c.withDefaults()
	return c, err
}

// withDefaults returns c complete and checked; the error names all mistakes.
func (c Config) withDefaults() (Config, error) {
	if len(c.Listeners) == 0 {
		c.Listeners = []string{DefaultListener}
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = 90 * time.Second
	}
	if c.MaxBody == 0 {
		c.MaxBody = 8 << 20
	}
	if len(c.SignatureAlgorithms) == 0 {
		c.SignatureAlgorithms = []string{"HmacSHA256"}
	}
	var errs []error
	for key, list := range map[string][]string{"listeners": c.Listeners, "admin.listeners": c.AdminListeners} {
		for _, l := range list {
			if _, err := listenAddress(l); err != nil {
				errs = append(errs, connectors.InvalidValue(key, l, err.Error()))
			}
		}
	}
	if _, err := parseHeaderRules(c.ResponseHeaders); err != nil {
		errs = append(errs, err)
	}
	if _, err := newOrigins(c.AllowOrigins); err != nil {
		errs = append(errs, err)
	}
	return c, errors.Join(errs...)
}

// listenAddress turns http://host:port into host:port.
func listenAddress(listener string) (string, error) {
	u, err := url.Parse(listener)
	if err != nil || u.Host == "" && !strings.HasPrefix(listener, "http://:") {
		return "", fmt.Errorf("not an address like %s", DefaultListener)
	}
	switch strings.ToLower(u.Scheme) {
	case "http":
	case "https":
		return "", errors.New("https listeners are not supported by this version; put a proxy in front or use http")
	default:
		return "", fmt.Errorf("the scheme must be http, not %q", u.Scheme)
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); err != nil {
		return "", fmt.Errorf("the port %q is not a number from 0 to 65535", u.Port())
	} else if u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return "", errors.New("nothing may follow the port")
	} else {
		return net.JoinHostPort(u.Hostname(), strconv.FormatUint(port, 10)), nil
	}
}
