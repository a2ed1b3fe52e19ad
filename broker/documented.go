package broker

import "millrace/broker/internal/brokerkeys"

// A DocumentedKey is a key of ParseConfig that has an effect. Default is "" for none.
type DocumentedKey struct {
	Name, Type, Default, Doc string
}

// DocumentedKeys returns those keys, sorted by name.
func DocumentedKeys() []DocumentedKey {
	var list []DocumentedKey
	for _, k := range brokerkeys.All() {
		if k.Doc != "" {
			list = append(list, DocumentedKey{k.Name, k.TypeName(), k.Default, k.Doc})
		}
	}
	return list
}
