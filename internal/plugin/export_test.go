package plugin

// PolicyNames is exported for tests.
var PolicyNames = policyNames
