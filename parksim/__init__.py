"""parksim simulates call parking: how many slots, which maxInParking, how many attendants."""
