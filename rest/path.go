package rest

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// routePath returns the path by which a request is routed, still percent-encoded: Connect's server compares paths before it
// decodes them, drops path parameters (;x=1), leaves plain dots alone and takes a trailing slash for none. What it refuses
// is refused here, but for encoded /, \ and %: they name connectors that could be created and then never reached.
func routePath(r *http.Request) (string, error) {
	path := r.RequestURI
	if path == "" { // a request made by hand
		path = r.URL.EscapedPath()
	}
	path, _, _ = strings.Cut(path, "?")
	path, _, _ = strings.Cut(path, "#")
	if i := strings.Index(path, "://"); i > 0 && !strings.HasPrefix(path, "/") { // absolute form
		_, rest, found := strings.Cut(path[i+3:], "/")
		if path = "/"; found {
			path += rest
		}
	}
	if path == "*" {
		return path, nil
	}
	if !strings.HasPrefix(path, "/") {
		return "", errors.New("the path does not begin with a slash")
	}
	segments := strings.Split(path[1:], "/")
	depth := 0
	for i, raw := range segments {
		raw, _, _ = strings.Cut(raw, ";")
		if err := checkSegment(raw, i == len(segments)-1); err != nil {
			return "", err
		}
		switch raw {
		case "..":
			depth--
		case ".":
		default:
			depth++
		}
		if depth < 0 {
			return "", errors.New("the path leaves the root")
		}
		segments[i] = raw
	}
	if n := len(segments); n > 1 && segments[n-1] == "" {
		segments = segments[:n-1]
	}
	return "/" + strings.Join(segments, "/"), nil
}

func checkSegment(raw string, last bool) error {
	if raw == "" && !last {
		return errors.New("a segment of the path is empty")
	}
	if i := strings.IndexAny(raw, "\\|\"{}<>^`"); i >= 0 {
		return errors.New("the path has the character " + raw[i:i+1] + ", which must be percent-encoded")
	}
	decoded, err := url.PathUnescape(raw)
	switch {
	case err != nil:
		return errors.New("the path has a % that is not followed by two hexadecimal digits")
	case !utf8.ValidString(decoded):
		return errors.New("the path is not UTF-8")
	case strings.Contains(decoded, "\x00"):
		return errors.New("the path has a NUL character")
	case decoded != raw && (decoded == "." || decoded == ".."):
		return errors.New("the path has encoded dots")
	}
	return nil
}

// pathEscape encodes a connector's name as a path segment. What may stand there unencoded stays as it is, as in Connect's Location
// headers; a slash does not, so that the address works.
func pathEscape(name string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~!$&'()*+,;=:@", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
