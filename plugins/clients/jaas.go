package clients

import (
	"errors"
	"fmt"

	"millrace/plugins/jaas"
)

// loginOptions reads the one entry of a sasl.jaas.config. Only module may be named. Errors do not show values.
func loginOptions(text, module string) (map[string]string, error) {
	entries, err := jaas.Parse(text)
	switch {
	case err != nil:
		return nil, err
	case len(entries) != 1:
		return nil, errors.New("must have one entry: a login module, a control flag and options, ended by a semicolon")
	case entries[0].Class != module:
		return nil, fmt.Errorf("must name the login module %s for this mechanism", module)
	}
	return entries[0].Options, nil
}
