"""kyouko: networks that grow while they learn, the tasks that teach them, living streams."""
