//! A stateful imitation of Bitbucket Cloud's REST API to try and test against
