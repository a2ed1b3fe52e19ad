package schemaregistry

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"millrace/connectors"
)

// An Endpoint is one URL of a registry, without the user that it named.
type Endpoint struct {
	URL      string
	User     string
	Password string
}

// endpoints parses the list of URLs.
func endpoints(texts []string) ([]Endpoint, error) {
	list := make([]Endpoint, 0, len(texts))
	for _, text := range texts {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			// The text may hold a password: it is not shown.
			return nil, &connectors.ConfigError{Msg: URLKey + ": each item must be a URL such as http://registry:8081"}
		}
		var e Endpoint
		if u.User != nil {
			e.User = u.User.Username()
			e.Password, _ = u.User.Password() // none is an empty one
			u.User = nil
		}
		e.URL = strings.TrimRight(u.String(), "/")
		list = append(list, e)
	}
	if len(list) == 0 {
		return nil, &connectors.ConfigError{Msg: URLKey + ": must name at least one URL"}
	}
	return list, nil
}

// credentials sets how requests are authorized.
func (c *Config) credentials(values connectors.Values) error {
	switch source := values.String(credentialsSourceKey); source {
	case "URL":
		c.fromURL = true
	case "USER_INFO":
		info := string(values.Password(userInfoKey))
		user, password, ok := strings.Cut(info, ":")
		if !ok {
			return &connectors.ConfigError{Msg: fmt.Sprintf("%s must be user:password when %s is USER_INFO", userInfoKey, credentialsSourceKey)}
		}
		c.user, c.password = user, password
	default:
		return &connectors.ConfigError{Msg: fmt.Sprintf("%s: %s is not supported; use USER_INFO or URL", credentialsSourceKey, source)}
	}
	switch source := values.String(bearerSourceKey); source {
	case "":
	case "STATIC_TOKEN":
		if c.token = string(values.Password(bearerTokenKey)); c.token == "" {
			return &connectors.ConfigError{Msg: fmt.Sprintf("%s must be set when %s is STATIC_TOKEN", bearerTokenKey, bearerSourceKey)}
		}
	default:
		return &connectors.ConfigError{Msg: fmt.Sprintf("%s: %s is not supported; use STATIC_TOKEN", bearerSourceKey, source)}
	}
	return nil
}

func (c *Config) authorize(r *http.Request, e Endpoint) {
	switch {
	case c.token != "":
		r.Header.Set("Authorization", "Bearer "+c.token)
	case c.fromURL && e.User != "":
		r.SetBasicAuth(e.User, e.Password)
	case !c.fromURL:
		r.SetBasicAuth(c.user, c.password)
	}
}
