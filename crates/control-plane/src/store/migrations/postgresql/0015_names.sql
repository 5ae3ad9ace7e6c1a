-- Names were compared without their case here from the beginning; the numbers of both engines stay together.
SELECT 1;
