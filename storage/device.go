package storage

import "time"

// Device is what is known of one device of an app.
type Device struct {
	RegistrationID string
	// Attributes is a JSON object; nil for none.
	Attributes []byte
	TimeZone   string // IANA; empty if it is not known
	Locale     string // BCP 47; empty if it is not known
	// UpdateTime is when these were last set; zero if they never were.
	UpdateTime time.Time
	Invalidity *Invalidity // nil: the device gets pushes
}

// Invalidity says why a device gets nothing any more.
type Invalidity struct {
	// Reason is the Callback's Invalidates.
	Reason string
	Time   time.Time // of the callback's change of status

	Status       string
	ErrorCode    int
	ErrorMessage string
	// DeleteTime is when the device was deleted at EngageLab; zero if it was not.
	DeleteTime time.Time
}

// InvalidQuery selects an app's invalid devices in ascending order of registration id.
type InvalidQuery struct {
	App   string
	After string // devices with a greater registration id
	// Undeleted leaves out those that were deleted at EngageLab.
	Undeleted bool
	Limit     int
}
