package wire

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"millrace/connectors"
)

// encodedOffset is a source offset as it came, after checkOffset.
type encodedOffset []byte

var _ connectors.SourceOffset = (*encodedOffset)(nil)

// Map implements connectors.SourceOffset.
func (o *encodedOffset) Map() map[string]any {
	v, err := new(Decoder).value(*o, nil, 0)
	if err != nil {
		panic("wire: a source offset that was checked does not decode: " + err.Error())
	}
	m, err := asObject(v)
	if err != nil {
		panic("wire: a source offset that was checked is no map: " + err.Error())
	}
	return m
}

// checkOffset reports why an encoded Value is no source offset: null, or an object of values that are JSON-like.
func checkOffset(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	f, _, err := next(data)
	if err != nil {
		return err
	}
	if f.number != valueObject {
		return fmt.Errorf("a value of kind %d, want an object", f.number)
	}
	return checkValue(data, 0)
}

// checkValue makes the checks of Decoder.value for what an offset may have.
func checkValue(data []byte, depth int) error {
	if len(data) == 0 {
		return nil
	}
	if depth > maxDepth {
		return fmt.Errorf("a value is nested deeper than %d levels", maxDepth)
	}
	f, rest, err := next(data)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return errors.New("a value has more than one kind")
	}
	switch f.number {
	case valueInt64:
		return f.is(protowire.VarintType)
	case valueInt32:
		_, err := f.signed(32)
		return err
	case valueFloat64:
		return f.is(protowire.Fixed64Type)
	case valueBoolean:
		return f.is(protowire.VarintType)
	case valueString:
		return checkText(&f)
	case valueArray:
		if err := f.is(protowire.BytesType); err != nil {
			return err
		}
		return each(f.data, func(f field) error {
			if f.number != 1 {
				return nil
			}
			return checkValue(f.data, depth+1)
		})
	case valueObject:
		if err := f.is(protowire.BytesType); err != nil {
			return err
		}
		return checkObject(f.data, depth)
	}
	return fmt.Errorf("a value of kind %d is none that a source offset may have", f.number)
}

func checkText(f *field) error {
	if err := f.is(protowire.BytesType); err != nil {
		return err
	}
	if !utf8.Valid(f.data) {
		return fmt.Errorf("field %d: not UTF-8", f.number)
	}
	return nil
}

func checkObject(data []byte, depth int) error {
	keys, values := 0, 0
	err := each(data, func(f field) error {
		switch f.number {
		case 1:
			keys++
			k, rest, err := next(f.data)
			if err != nil {
				return err
			}
			if k.number != valueString || len(rest) > 0 {
				return errors.New("an object has a key that is not a string")
			}
			return checkText(&k)
		case 2:
			values++
			return checkValue(f.data, depth+1)
		}
		return nil
	})
	if err == nil && keys != values {
		err = fmt.Errorf("an object has %d keys and %d values", keys, values)
	}
	return err
}
