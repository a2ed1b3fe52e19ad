package rest

import (
	"net/http"
	"regexp"
	"strings"

	"millrace/connectors"
)

// origins decides which origins browsers may call from.
type origins struct {
	any      bool
	patterns []*regexp.Regexp
}

func newOrigins(config []string) (*origins, error) {
	o := new(origins)
	for _, text := range config {
		switch text {
		case "":
		case "*":
			o.any = true
		default:
			p, err := regexp.Compile("^(?:" + text + ")$")
			if err != nil {
				return nil, connectors.InvalidValue("access.control.allow.origin", text, "neither * nor a regular expression: "+err.Error())
			}
			o.patterns = append(o.patterns, p)
		}
	}
	return o, nil
}

func (o *origins) allow(origin string) bool {
	if origin == "" {
		return false
	}
	for _, p := range o.patterns {
		if p.MatchString(origin) {
			return true
		}
	}
	return o.any
}

// applyCORS adds the headers of an allowed origin. Preflight requests are handed on all the same.
func (s *Server) applyCORS(h http.Header, r *http.Request) {
	origin := r.Header.Get("Origin")
	if !s.origins.allow(origin) {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		methods := s.config.AllowMethods
		if len(methods) == 0 {
			methods = []string{http.MethodGet, http.MethodPost, http.MethodHead}
		}
		h.Set("Access-Control-Allow-Methods", strings.Join(methods, ","))
		h.Set("Access-Control-Allow-Headers", "Content-Type")
		h.Set("Access-Control-Max-Age", "60")
	}
}
